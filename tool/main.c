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
 * snivhost-store: certificates in Redis or Valkey, for servers with
 * SNIVHostCertificates redis://... The manual of mod_snivhost has a chapter
 * about it.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include <openssl/crypto.h>

#include "certs/challenge.h"
#include "module/version.h"
#include "tool/bundle.h"
#include "tool/entries.h"
#include "tool/mirror.h"

/* How long servers give an answer, and after what time all of them do. */
#define ANSWER_SECONDS 600
#define ANSWER_PAUSE 3

static const char usage[] =
    "usage: snivhost-store [--store URL] [--key FILE] COMMAND\n"
    "\n"
    "  put FOLDER              put the certificates of a folder, whatever its\n"
    "                          layout: certbot, acme.sh, lego, ...\n"
    "  put [--id ID] FILE...   put one: certificate, key and chain, in one\n"
    "                          file or several\n"
    "  put                     put what certbot, lego or acme.sh has just\n"
    "                          renewed, as their deploy hook\n"
    "  get ID                  print an entry, with its private key\n"
    "  list                    print the IDs\n"
    "  remove ID...            remove entries\n"
    "  check [FOLDER|FILE...]  judge the entries of the store, or a folder or\n"
    "                          files, as the server would\n"
    "  reseal                  seal all entries with the first key of FILE\n"
    "  allow-removals          let servers forget what has vanished now\n"
    "  challenge put http-01 TOKEN ANSWER\n"
    "  challenge put tls-alpn-01 NAME ANSWER\n"
    "                          have all servers answer a challenge of a\n"
    "                          certificate authority, for ten minutes; with\n"
    "                          --key only\n"
    "  challenge put           as a hook of certbot (--manual-auth-hook)\n"
    "  challenge remove [http-01 TOKEN | tls-alpn-01 NAME]\n"
    "  challenge list\n"
    "  copy FOLDER [--parent N] [--ring] [--challenges]\n"
    "                          keep a copy: what the server runs\n"
    "\n"
    "  URL     redis://[USER@][HOST[:PORT]]/PREFIX\n"
    "          [?socket=PATH&password-file=PATH&timeout=SECONDS\n"
    "          &primary=HOST:PORT], or rediss://... with TLS\n"
    "          [?cacert=PATH&cert=PATH&key=PATH], or\n"
    "          $SNIVHOST_STORE\n"
    "  FILE    keys that entries are sealed with (SNIVHostStoreKey), or\n"
    "          $SNIVHOST_STORE_KEY\n"
    "\n"
    "An entry that the server would not use is refused. Exit status: 0, or 1\n"
    "if something was refused or failed, 2 if the command is wrong.\n";

typedef struct job_t {
    entries_t entries;
    const char *id;             /* --id, or NULL */
    apr_pool_t *p;
    int failed;
} job_t;

static void complain(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    va_list args;

    fputs("snivhost-store: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static int misused(const char *what)
{
    complain("%s", what);
    fputs(usage, stderr);
    return 2;
}

/* ----- put, check */

static void bad_file(void *baton, int is_used, const char *file,
                     const char *reason)
{
    job_t *job = baton;

    complain("certificate%s: %s %s", is_used ? "" : " not used", file,
             reason);
    job->failed |= !is_used;
}

static void warn_of(const char *name, const bundle_info_t *info)
{
    apr_time_t now = apr_time_now();

    if (now > info->not_after || now < info->not_before) {
        complain("certificate: %s %s", name, now > info->not_after
                 ? "has expired" : "is not valid yet");
    }
}

/* Put one certificate, or only judge it. */
static void handle(job_t *job, const char *const *files, int n, int is_put)
{
    const char *file = files[0], *reason, *id;
    bundle_info_t info;
    sniv_buffer_t bundle;
    int rv;

    memset(&bundle, 0, sizeof(bundle));
    reason = bundle_join(&bundle, files, n, &file);
    if (!reason) {
        reason = bundle_judge(&bundle, &info, job->p);
        file = files[0];
    }
    if (reason) {
        bad_file(job, 0, file, reason);
    }
    else {
        id = job->id ? job->id : info.id;
        warn_of(file, &info);
        rv = !is_put ? 0 : entries_put(&job->entries, id, &bundle);
        if (rv < 0) {
            complain("%s was not put: %s", id, job->entries.error);
            job->failed = 1;
        }
        else {
            printf("%s: %s (%s)\n", id, !is_put ? "can be used"
                   : rv ? "put" : "unchanged", info.names);
        }
    }
    sniv_buffer_free(&bundle);
}

static void put_found(void *baton, const char *const *files, int n)
{
    handle(baton, files, n, 1);
}

static void check_found(void *baton, const char *const *files, int n)
{
    handle(baton, files, n, 0);
}

static int is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int each_certificate(job_t *job, char **args, int n, int is_put)
{
    bundle_visitor_t visitor;
    char path[PATH_MAX];
    int i;

    visitor.found = is_put ? put_found : check_found;
    visitor.bad = bad_file;
    visitor.baton = job;
    if (n == 1 && is_folder(args[0])) {
        if (!realpath(args[0], path)) {
            bad_file(job, 0, args[0], strerror(errno));
            return 1;
        }
        bundle_folder(path, &visitor, job->p);
        return job->failed;
    }
    for (i = 0; i < n; i++) {
        if (is_folder(args[i])) {
            return misused("one folder, or files of one certificate");
        }
    }
    handle(job, (const char *const *)args, n, is_put);
    return job->failed;
}

/* What has just been renewed, as clients tell their hooks. */
static const char *const hooks[][2] = {
    { "RENEWED_LINEAGE", NULL },                            /* certbot */
    { "LEGO_HOOK_CERT_PATH", "LEGO_HOOK_CERT_KEY_PATH" },   /* lego 5 */
    { "LEGO_CERT_PATH", "LEGO_CERT_KEY_PATH" },             /* lego */
    { "CERT_FULLCHAIN_PATH", "CERT_KEY_PATH" }              /* acme.sh */
};

static int put(job_t *job, char **args, int n)
{
    char *files[2];
    size_t i;

    if (n > 0) {
        return each_certificate(job, args, n, 1);
    }
    for (i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        files[0] = getenv(hooks[i][0]);
        files[1] = hooks[i][1] ? getenv(hooks[i][1]) : NULL;
        if (files[0] && (files[1] || !hooks[i][1])) {
            return each_certificate(job, files, files[1] ? 2 : 1, 1);
        }
    }
    return misused("put takes a folder or files");
}

static int check_one(void *baton, const char *id, const sniv_buffer_t *entry,
                     const char *reason)
{
    job_t *job = baton;
    bundle_info_t info;

    if (!reason && job->entries.keys && !job->entries.is_sealed) {
        reason = sniv_not_sealed;
    }
    if (!reason) {
        reason = bundle_judge(entry, &info, job->p);
    }
    if (reason) {
        bad_file(job, 0, id, reason);
    }
    else {
        warn_of(id, &info);
        printf("%s: can be used (%s)\n", id, info.names);
    }
    return 1;
}

/* ----- challenges */

static int fails(job_t *job, const char *what)
{
    complain("%s: the store %s", what, job->entries.error);
    return 1;
}

/* What a challenge is about, also from a hook's environment.
 * @return NULL: that is not said */
static const char *challenge_id(job_t *job, char **args, int n)
{
    const char *kind, *name;

    if (n >= 2) {
        kind = args[0];
        name = args[1];
    }
    else {
        kind = "http-01";
        name = n == 0 ? getenv("CERTBOT_TOKEN") : NULL;
    }
    if (!name || (strcmp(kind, "http-01") != 0
                  && strcmp(kind, "tls-alpn-01") != 0)) {
        return NULL;
    }
    if (strcmp(kind, "tls-alpn-01") == 0) {
        char *lower = apr_pstrdup(job->p, name), *c;

        for (c = lower; *c; c++) {
            *c = (char)apr_tolower(*c);
        }
        name = lower;
    }
    return apr_pstrcat(job->p, kind, "+", name, NULL);
}

static int put_challenge(job_t *job, char **args, int n)
{
    const char *id = challenge_id(job, args, n);
    const char *content = n == 3 ? args[2] : n == 0
                          ? getenv("CERTBOT_VALIDATION") : NULL;
    char answer[SNIV_CHALLENGE_MAX];

    if (!id || !content) {
        return misused("challenge put takes http-01 TOKEN ANSWER, or "
                       "tls-alpn-01 NAME ANSWER");
    }
    if (!job->entries.keys) {
        return misused("challenge put takes --key FILE: servers give answers "
                       "that are signed with it");
    }
    if (!sniv_challenge_is_id(id, strlen(id))
        || !sniv_challenge_sign(job->entries.keys, job->entries.prefix, id,
                                apr_time_sec(apr_time_now()) + ANSWER_SECONDS,
                                content, answer)) {
        complain("%s was not put: the challenge or its answer is none", id);
        return 1;
    }
    if (!entries_put_answer(&job->entries, id, answer)) {
        return fails(job, id);
    }
    printf("%s: put\n", id);
    fflush(stdout);
    apr_sleep(apr_time_from_sec(ANSWER_PAUSE));
    return 0;
}

static int challenge(job_t *job, char **args, int n)
{
    const char *id;

    if (n > 0 && strcmp(args[0], "put") == 0) {
        return put_challenge(job, args + 1, n - 1);
    }
    if (n == 1 && strcmp(args[0], "list") == 0) {
        return entries_list_answers(&job->entries) ? 0
               : fails(job, "challenges");
    }
    if ((n == 1 || n == 3) && strcmp(args[0], "remove") == 0
        && (id = challenge_id(job, args + 1, n - 1)) != NULL) {
        return entries_remove_answer(&job->entries, id) ? 0 : fails(job, id);
    }
    return misused("challenge put, challenge remove or challenge list");
}

/* ----- the others */

static int list_one(void *baton, const char *id, const sniv_buffer_t *entry,
                    const char *reason)
{
    (void)baton;
    (void)entry;
    (void)reason;
    puts(id);
    return 1;
}

static int reseal_one(void *baton, const char *id,
                      const sniv_buffer_t *entry, const char *reason)
{
    job_t *job = baton;
    int rv;

    if (reason) {
        bad_file(job, 0, id, reason);
        return 1;
    }
    rv = entries_put(&job->entries, id, entry);
    if (rv < 0) {
        complain("%s was not put: %s", id, job->entries.error);
        return 0;
    }
    printf("%s: %s\n", id, rv ? "put" : "unchanged");
    return 1;
}

static int each_entry(job_t *job, entries_visit_fn *visit, int with_value)
{
    if (!entries_each(&job->entries, with_value, visit, job)) {
        complain("the store %s", job->entries.error);
        return 1;
    }
    return job->failed;
}

static int get(job_t *job, const char *id)
{
    sniv_buffer_t entry;
    const char *reason = NULL;
    int rv;

    memset(&entry, 0, sizeof(entry));
    rv = entries_get(&job->entries, id, &entry, &reason, NULL);
    if (rv > 0 && !reason) {
        fwrite(entry.data, 1, entry.len, stdout);
    }
    else {
        complain("%s %s", id, rv < 0 ? job->entries.error
                 : rv == 0 ? "is not in the store" : reason);
    }
    sniv_buffer_free(&entry);
    return rv <= 0 || reason;
}

static int remove_all(job_t *job, char **ids, int n)
{
    int i, rv;

    for (i = 0; i < n; i++) {
        rv = entries_remove(&job->entries, ids[i]);
        if (rv < 0) {
            complain("%s was not removed: %s", ids[i], job->entries.error);
            return 1;
        }
        printf("%s: %s\n", ids[i], rv ? "removed" : "was not there");
    }
    return 0;
}

static int run(job_t *job, const char *command, char **args, int n)
{
    if (strcmp(command, "put") == 0) {
        return put(job, args, n);
    }
    if (strcmp(command, "get") == 0 && n == 1) {
        return get(job, args[0]);
    }
    if (strcmp(command, "list") == 0 && n == 0) {
        return each_entry(job, list_one, 0);
    }
    if (strcmp(command, "remove") == 0 && n > 0) {
        return remove_all(job, args, n);
    }
    if (strcmp(command, "challenge") == 0) {
        return challenge(job, args, n);
    }
    if (strcmp(command, "check") == 0) {
        return n ? each_certificate(job, args, n, 0)
                 : each_entry(job, check_one, 1);
    }
    if (strcmp(command, "reseal") == 0 && n == 0) {
        return job->entries.keys ? each_entry(job, reseal_one, 1)
                                 : misused("reseal takes --key FILE");
    }
    if (strcmp(command, "allow-removals") == 0 && n == 0) {
        if (entries_allow(&job->entries)) {
            return 0;
        }
        complain("the store %s", job->entries.error);
        return 1;
    }
    return misused("no such command, or with other arguments");
}

/* ----- the start */

/* What the server runs: it has a password in its memory. */
static int copy(sniv_store_url_t *url, char **args, int n, apr_pool_t *p)
{
    pid_t parent = 0;
    int with = 0;

    for (; n > 1 && strncmp(args[n - 1], "--", 2) == 0; n--) {
        with |= strcmp(args[n - 1], "--ring") == 0 ? MIRROR_RING
                : strcmp(args[n - 1], "--challenges") == 0
                ? MIRROR_CHALLENGES : 0;
    }
    if (n == 3 && strcmp(args[1], "--parent") == 0) {
        parent = (pid_t)atol(args[2]);
    }
    else if (n != 1) {
        return misused("copy takes a folder");
    }
    url->copy = args[0];
    (void)prctl(PR_SET_NAME, "snivhost-store", 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#ifdef PR_SET_NO_NEW_PRIVS
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
    if (parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent) {
            return 0;           /* it has died before that line */
        }
    }
    return mirror_run(url, parent, with, p);
}

typedef struct options_t {
    const char *store, *key, *id;
} options_t;

/* Options may be anywhere; what is left are words. @return how many, -1 */
static int read_options(options_t *options, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **to;
    } known[] = {
        { "--store", &options->store }, { "--key", &options->key },
        { "--id", &options->id }
    };
    int i, n = 0;
    size_t k;

    for (i = 1; i < argc; i++) {
        for (k = 0; k < 3 && strcmp(argv[i], known[k].name) != 0; k++)
            ;
        if (k == 3) {
            argv[n++] = argv[i];
        }
        else if (i + 1 == argc) {
            return -1;
        }
        else {
            *known[k].to = argv[++i];
        }
    }
    return n;
}

/* @return 0: one is wrong, as has been said */
static int use_options(const options_t *options, sniv_store_url_t *url,
                       sniv_store_keys_t *keys, apr_pool_t *p)
{
    const char *wrong = NULL;

    memset(url, 0, sizeof(*url));
    memset(keys, 0, sizeof(*keys));
    if (options->store) {
        wrong = sniv_store_url_parse(url, options->store, p);
    }
    if (wrong) {
        complain("--store %s: %s", options->store, wrong);
        return 0;
    }
    if (options->key && *options->key) {
        wrong = sniv_store_keys_read(keys, options->key);
    }
    if (wrong) {
        complain("--key: %s %s", options->key, wrong);
    }
    return !wrong;
}

static int is_about_files(const char *command, int n)
{
    return strcmp(command, "check") == 0 && n > 1;
}

int main(int argc, char **argv)
{
    options_t options = { getenv("SNIVHOST_STORE"),
                          getenv("SNIVHOST_STORE_KEY"), NULL };
    sniv_store_keys_t keys;
    sniv_store_url_t url;
    int n, status;
    job_t job;

    memset(&job, 0, sizeof(job));
    n = read_options(&options, argc, argv);
    if (n == 1 && strcmp(argv[0], "--version") == 0) {
        puts("snivhost-store " MOD_SNIVHOST_VERSION);
        return 0;
    }
    if (n == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (n < 1) {
        return misused("which command?");
    }
    if (apr_initialize() != APR_SUCCESS
        || apr_pool_create(&job.p, NULL) != APR_SUCCESS) {
        return 1;
    }
    umask(077);
    if (!options.store && !is_about_files(argv[0], n)) {
        return misused("--store URL is missing");
    }
    if (!use_options(&options, &url, &keys, job.p)) {
        return 2;
    }
    if (strcmp(argv[0], "copy") == 0) {
        return copy(&url, argv + 1, n - 1, job.p);
    }
    if (url.primary) {
        url.socket = NULL;
        url.host = url.primary;
        url.port = url.primary_port;
    }
    job.id = options.id;
    signal(SIGPIPE, SIG_IGN);
    entries_init(&job.entries, &url, options.key && *options.key ? &keys
                                                                  : NULL,
                 job.p);
    status = run(&job, argv[0], argv + 1, n - 1);
    if (fflush(stdout) != 0) {
        status = 1;
    }
    entries_end(&job.entries);
    OPENSSL_cleanse(&keys, sizeof(keys));
    apr_pool_destroy(job.p);
    return status;
}
