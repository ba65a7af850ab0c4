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
 *     renew DIR NEW FROM TO [PID SIGNAL]
 *                     put NEW/N.pem in the place of DIR/N.pem for each number,
 *                     which takes the place of a % in NAME, and ask the server
 *                     to reload, if it has to be asked. With one number all
 *                     threads shake hands all the time, until each has seen
 *                     the new certificate STREAK times in a row: prints how
 *                     many ms after the rename the last handshake began that
 *                     still showed the old one. With several, each thread
 *                     waits for its part of them: prints how many ms all of
 *                     them took. Then how many handshakes failed
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
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

static void put_number(char *to, size_t room, const char *pattern, int number)
{
    const char *at = strchr(pattern, '%');

    if (at)
        snprintf(to, room, "%.*s%d%s", (int)(at - pattern), pattern, number,
                 at + 1);
    else
        snprintf(to, room, "%s", pattern);
}

static int each(const char *name, int from, int to)
{
    int n = to - from + 1, i;
    double *ms = calloc(n > 0 ? n : 1, sizeof(*ms)), start;
    char one[256];

    if (n < 1 || !ms)
        die("each takes FROM and TO");
    for (i = 0; i < n; i++) {
        put_number(one, sizeof(one), name, from + i);
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

/* ----- renewals ----- */

#define STREAK 30

typedef struct renewal_t {
    pthread_t thread;
    const char *name, *dir;
    int from, to;               /* its part */
    double last_old;            /* when it began */
    int failed, is_late;
    volatile int *is_ready;
} renewal_t;

static volatile double renewed; /* the time of the rename; 0: not yet */

static X509 *read_first(const char *dir, int number)
{
    char path[1000];
    FILE *file;
    X509 *x;

    snprintf(path, sizeof(path), "%s/%d.pem", dir, number);
    file = fopen(path, "r");
    x = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    if (!x)
        die(path);
    fclose(file);
    return x;
}

/* 1: the new one, 0: another one, -1: failed. */
static int shows(const char *name, X509 *wanted)
{
    X509 *x;
    int is_new;

    if (!handshake(name, 0, &x))
        return -1;
    is_new = X509_cmp(x, wanted) == 0;
    X509_free(x);
    return is_new;
}

static void *await_one(void *baton)
{
    renewal_t *r = baton;
    X509 *wanted = read_first(r->dir, r->from);
    char name[256];
    double begin;
    int streak = 0, got;

    put_number(name, sizeof(name), r->name, r->from);
    while (streak < STREAK) {
        begin = now();
        if (begin > until) {
            r->is_late = 1;
            break;
        }
        got = shows(name, wanted);
        *r->is_ready = 1;
        streak = got == 1 ? streak + 1 : 0;
        if (renewed > 0 && begin >= renewed) {
            r->failed += got < 0;
            if (got == 0)
                r->last_old = begin;
        }
    }
    X509_free(wanted);
    return NULL;
}

static void *await_part(void *baton)
{
    renewal_t *r = baton;
    char name[256];
    int i, got;

    *r->is_ready = 1;
    while (renewed == 0)
        usleep(100);
    for (i = r->from; i <= r->to && !r->is_late; i++) {
        X509 *wanted = read_first(r->dir, i);

        put_number(name, sizeof(name), r->name, i);
        while ((got = shows(name, wanted)) != 1) {
            r->failed += got < 0;
            if (now() > until) {
                r->is_late = 1;
                break;
            }
            usleep(1000);
        }
        X509_free(wanted);
    }
    return NULL;
}

static double move(const char *dir, const char *new_dir, int from, int to)
{
    char old_path[1000], new_path[1000];
    double first = now();
    int i;

    for (i = from; i <= to; i++) {
        snprintf(new_path, sizeof(new_path), "%s/%d.pem", new_dir, i);
        snprintf(old_path, sizeof(old_path), "%s/%d.pem", dir, i);
        if (rename(new_path, old_path) != 0)
            die(new_path);
    }
    return first;
}

static int renew(const char *name, int n, char **arg, pid_t pid, int sig)
{
    const int from = atoi(arg[2]), to = atoi(arg[3]), is_one = from == to;
    renewal_t all[64];
    volatile int ready[64] = { 0 };
    double last = 0, begin;
    int i, failed = 0, is_late = 0;

    n = n > 64 ? 64 : n;
    memset(all, 0, sizeof(all));
    for (i = 0; i < n; i++) {
        all[i].name = name;
        /* what one waits for is read before it is moved, a part after */
        all[i].dir = is_one ? arg[1] : arg[0];
        all[i].from = is_one ? from : from + (to - from + 1) * i / n;
        all[i].to = is_one ? to : from + (to - from + 1) * (i + 1) / n - 1;
        all[i].is_ready = &ready[i];
        pthread_create(&all[i].thread, NULL, is_one ? await_one : await_part,
                       &all[i]);
    }
    for (i = 0; i < n; i++) {
        while (!ready[i])
            usleep(100);
    }
    begin = move(arg[0], arg[1], from, to);
    renewed = now();
    if (pid > 0 && kill(pid, sig) != 0)
        die("nobody to reload");
    for (i = 0; i < n; i++) {
        pthread_join(all[i].thread, NULL);
        failed += all[i].failed;
        is_late |= all[i].is_late;
        if (all[i].last_old > last)
            last = all[i].last_old;
    }
    if (is_late)
        die("the new certificate does not come");
    printf("%.1f %d\n", 1000 * (!is_one ? now() - begin
                                : last > 0 ? last - renewed : 0), failed);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name, *how = argc > 6 ? argv[6] : "";

    if (argc < 6) {
        fprintf(stderr, "usage: handshakes ADDRESS PORT NAME|- SECONDS "
                "THREADS [first|refused|each FROM TO|until FILE|"
                "renew DIR NEW FROM TO [PID SIGNAL]]\n");
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
    if (!strcmp(how, "renew") && argc > 10 && name)
        return renew(name, atoi(argv[5]), argv + 7,
                     argc > 12 ? atoi(argv[11]) : 0,
                     argc > 12 ? atoi(argv[12]) : 0);
    refused = !strcmp(how, "refused");
    return many(name, atoi(argv[5]));
}
