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
 * Full TLS handshakes: connect, handshake, close, again. Without resumption
 * and without a request, because the handshake is what is measured.
 *
 *     handshakes ADDRESS PORT NAME|- SECONDS THREADS [HOW...]
 *
 * Prints the number of handshakes per second, and in all. Or, HOW being
 *
 *     first           one handshake, tried again until the server is up
 *     refused         as without, but each has to end with the alert
 *                     unrecognized_name
 *     each FROM TO    one for each number, which takes the place of a % in
 *                     NAME, and each has to show a certificate of that name:
 *                     prints the median and the 90th percentile in ms
 *     until FILE      one after the other until the server shows the first
 *                     certificate of a file: prints how long one waited at
 *                     most, tries that failed included, in ms, and how many
 *                     failed
 */

#include <arpa/inet.h>
#include <errno.h>
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
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static struct sockaddr_in server;
static double until;
static SSL_CTX *ctx;
static int refused;             /* they have to be */
static __thread char why[256];  /* what was wrong with the last one */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "handshakes: %s\n", what);
    exit(1);
}

static int is_refusal(int is_ok)
{
    int is_right = !is_ok && ERR_GET_REASON(ERR_peek_error())
                             == SSL_R_TLSV1_UNRECOGNIZED_NAME;

    snprintf(why, sizeof(why), "%s", is_ok ? "not refused"
             : "refused in another way");
    ERR_clear_error();
    return is_right;
}

static void explain(const char *what, SSL *ssl, int rv)
{
    unsigned long code = ERR_peek_error();
    int error = errno;

    snprintf(why, sizeof(why), "%s: %s", what,
             code && ERR_reason_error_string(code)
                 ? ERR_reason_error_string(code)
             : ssl && SSL_get_error(ssl, rv) == SSL_ERROR_ZERO_RETURN
                 ? "closed by the server"
             : error ? strerror(error) : "end of the connection");
    ERR_clear_error();
}

/* With name checked, or with the certificate kept, if asked for. */
static int handshake(const char *name, int check, X509 **cert)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, ok = 0, rv;
    struct linger at_once = { 1, 0 };
    X509 *x;
    SSL *ssl;
    char byte;

    if (fd < 0)
        die("no socket");
    /* A reset at the end: thousands of ports in TIME_WAIT would be next. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0) {
        explain("connect", NULL, 0);
        close(fd);
        return 0;
    }
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (name)
        SSL_set_tlsext_host_name(ssl, name);
    errno = 0;
    rv = SSL_connect(ssl);
    ok = rv == 1;
    if (refused) {
        ok = is_refusal(ok);
    }
    else if (!ok) {
        explain("handshake", ssl, rv);
    }
    else {
        x = SSL_get1_peer_certificate(ssl);
        if (check && (!x || X509_check_host(x, name, 0, 0, NULL) != 1)) {
            snprintf(why, sizeof(why), "the certificate is not of this name");
            ok = 0;
        }
        if (cert)
            *cert = x;
        else
            X509_free(x);
        SSL_shutdown(ssl);
        (void)!read(fd, &byte, 0);
    }
    SSL_free(ssl);
    close(fd);
    return ok;
}

/* ----- what can be done with them ----- */

typedef struct worker_t {
    pthread_t thread;
    const char *name;
    long done;
} worker_t;

static void *work(void *baton)
{
    worker_t *worker = baton;

    while (now() < until) {
        if (!handshake(worker->name, 0, NULL))
            die(why);
        worker->done++;
    }
    return NULL;
}

static int many(const char *name, int n)
{
    worker_t workers[64];
    double start = now();
    long sum = 0;
    int i;

    memset(workers, 0, sizeof(workers));
    for (i = 0; i < n && i < 64; i++) {
        workers[i].name = name;
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (i = 0; i < n && i < 64; i++) {
        pthread_join(workers[i].thread, NULL);
        sum += workers[i].done;
    }
    printf("%.0f %ld\n", sum / (now() - start), sum);
    return 0;
}

static int first(const char *name)
{
    while (!handshake(name, 0, NULL)) {
        if (now() > until)
            die(why);
        usleep(1000);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static int each(const char *name, int from, int to)
{
    int n = to - from + 1, i;
    double *ms = calloc(n > 0 ? n : 1, sizeof(*ms)), start;
    const char *at = strchr(name, '%');
    char one[256];

    if (n < 1 || !ms)
        die("each takes FROM and TO");
    snprintf(one, sizeof(one), "%s", name);
    for (i = 0; i < n; i++) {
        if (at) {
            snprintf(one, sizeof(one), "%.*s%d%s", (int)(at - name), name,
                     from + i, at + 1);
        }
        start = now();
        if (!handshake(one, 1, NULL)) {
            fprintf(stderr, "handshakes: %s: %s\n", one, why);
            return 1;
        }
        ms[i] = 1000 * (now() - start);
    }
    qsort(ms, n, sizeof(*ms), compare);
    printf("%.3f %.3f\n", ms[(n - 1) / 2], ms[(n - 1) * 9 / 10]);
    free(ms);
    return 0;
}

static int until_new(const char *name, const char *path)
{
    FILE *file = fopen(path, "r");
    X509 *wanted = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL, *x;
    double longest = 0, start = now();
    int is_new = 0, failed = 0;

    if (!wanted)
        die("no certificate in the file");
    fclose(file);
    while (!is_new) {
        if (now() > until) {
            fprintf(stderr, "handshakes: the new certificate does not come, "
                    "%d failed, the last one: %s\n", failed,
                    failed ? why : "none");
            return 1;
        }
        if (!handshake(name, 0, &x)) {
            failed++;
            usleep(2000);
            continue;
        }
        if (now() - start > longest)
            longest = now() - start;
        is_new = X509_cmp(x, wanted) == 0;
        X509_free(x);
        usleep(2000);
        start = now();
    }
    printf("%.1f %d\n", 1000 * longest, failed);
    X509_free(wanted);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name, *how = argc > 6 ? argv[6] : "";

    if (argc < 6) {
        fprintf(stderr, "usage: handshakes ADDRESS PORT NAME|- SECONDS "
                "THREADS [first|refused|each FROM TO|until FILE]\n");
        return 2;
    }
    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &server.sin_addr);
    name = strcmp(argv[3], "-") ? argv[3] : NULL;
    ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    until = now() + atof(argv[4]);

    if (!strcmp(how, "first"))
        return first(name);
    if (!strcmp(how, "each") && argc > 8 && name)
        return each(name, atoi(argv[7]), atoi(argv[8]));
    if (!strcmp(how, "until") && argc > 7)
        return until_new(name, argv[7]);
    refused = !strcmp(how, "refused");
    return many(name, atoi(argv[5]));
}
