/* Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/*
 * Full TLS handshakes per second with one server name: connect, handshake,
 * close, again. Without resumption and without a request, because the
 * handshake is what is measured.
 *
 *     handshakes ADDRESS PORT NAME|- SECONDS THREADS [first|refused]
 *
 * Prints the number of handshakes per second, and in all. With `first` it
 * makes one handshake, retries until the server is up, and prints nothing.
 * With `refused` each has to end with the alert unrecognized_name.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static struct sockaddr_in server;
static const char *name;
static double until;
static SSL_CTX *ctx;
static int refused;             /* they have to be */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static int handshake(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, ok = 0;
    struct linger at_once = { 1, 0 };
    SSL *ssl = NULL;
    char byte;

    if (fd < 0)
        return 0;
    /* A reset at the end: thousands of ports in TIME_WAIT would be next. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0) {
        ssl = SSL_new(ctx);
        SSL_set_fd(ssl, fd);
        if (name)
            SSL_set_tlsext_host_name(ssl, name);
        ok = SSL_connect(ssl) == 1;
        if (refused) {
            ok = !ok && ERR_GET_REASON(ERR_peek_error())
                        == SSL_R_TLSV1_UNRECOGNIZED_NAME;
            ERR_clear_error();
        }
        else if (ok) {
            SSL_shutdown(ssl);
            (void)!read(fd, &byte, 0);
        }
        SSL_free(ssl);
    }
    close(fd);
    return ok;
}

static void *work(void *count)
{
    long *done = count;

    while (now() < until) {
        if (!handshake()) {
            fprintf(stderr, "handshakes: a handshake failed\n");
            exit(1);
        }
        ++*done;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    long counts[64] = { 0 }, sum = 0;
    double seconds, start;
    int n, i;

    if (argc < 6) {
        fprintf(stderr, "usage: handshakes ADDRESS PORT NAME|- SECONDS "
                "THREADS [first|refused]\n");
        return 2;
    }
    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &server.sin_addr);
    name = strcmp(argv[3], "-") ? argv[3] : NULL;
    seconds = atof(argv[4]);
    n = atoi(argv[5]);
    ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);

    start = now();
    until = start + seconds;
    refused = argc > 6 && !strcmp(argv[6], "refused");
    if (argc > 6 && !refused) {
        while (!handshake()) {
            if (now() > until) {
                fprintf(stderr, "handshakes: no server in time\n");
                return 1;
            }
            usleep(1000);
        }
        return 0;
    }
    for (i = 0; i < n && i < 64; i++)
        pthread_create(&threads[i], NULL, work, &counts[i]);
    for (i = 0; i < n && i < 64; i++) {
        pthread_join(threads[i], NULL);
        sum += counts[i];
    }
    printf("%.0f %ld\n", sum / (now() - start), sum);
    return 0;
}
