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


#include "tls/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ap_mpm.h"
#include "apr_hash.h"
#include "apr_shm.h"
#include "apr_strings.h"
#include "apr_thread_proc.h"
#include "http_core.h"
#include "http_main.h"

#include "certs/envelope.h"
#include "certs/storeurl.h"

#define PAUSE 10                        /* seconds between two programs */
#define SAY_PERIOD apr_time_from_sec(60)
#define STOP_WAIT 100                   /* times 5 ms */

#ifndef SNIVHOST_STORE_PROGRAM
#define SNIVHOST_STORE_PROGRAM "/usr/sbin/snivhost-store"
#endif

typedef struct snivhost_mirror_t {
    const char *address;                /* as written */
    sniv_store_url_t url;
    const char *program;
    const char *dir;                    /* of the copy */
    const char *certs;                  /* ... and its certificates */
    const server_rec *s;
    apr_pool_t *p;
    apr_pool_t *prun;                   /* of the program that runs */
    pid_t parent;
    apr_proc_t proc;                    /* its pid: 0 if there is none */
    int is_watched;                     /* registered with APR */
    int is_waited_for;                  /* by the start */
    apr_time_t next;                    /* when to run another one */
    apr_time_t said;                    /* that it fails */
    int was_good;                       /* as it was said last: 1, 0; -1 */
    apr_uint32_t was_skipped;
    char ring[256];                     /* why that is not exchanged, or "" */
    apr_uint64_t generation;            /* of it */
    int challenges;                     /* their folder, or -1 */
    sniv_challenge_keys_t challenge_keys;
    snivhost_mirror_info_t *info;       /* shared with children, or NULL */
} snivhost_mirror_t;

const char *snivhost_mirror_check(const char *text, apr_pool_t *p)
{
    sniv_store_url_t url;

    return sniv_store_url_parse(&url, text, p);
}

static snivhost_mirror_t *mirror_at(int i)
{
    return snivhost_site.mirrors && i < snivhost_site.mirrors->nelts
           ? APR_ARRAY_IDX(snivhost_site.mirrors, i, snivhost_mirror_t *)
           : NULL;
}

int snivhost_mirror_get(int i, snivhost_mirror_info_t *info)
{
    const snivhost_mirror_t *m = mirror_at(i);

    if (!m)
        return 0;
    memset(info, 0, sizeof(*info));
    if (m->info)
        *info = *m->info;
    info->url = m->url.text;
    return 1;
}

int snivhost_mirror_is_copy(const char *path)
{
    const snivhost_mirror_t *m;
    int i;

    for (i = 0; (m = mirror_at(i)) != NULL; i++) {
        if (!strcmp(m->certs, path))
            return 1;
    }
    return 0;
}

int snivhost_mirror_ring(const char **url, const char **dir,
                         const char **prefix, const char **trouble)
{
    const snivhost_mirror_t *m = mirror_at(0);

    if (!m)
        return 0;
    *url = m->url.text;
    *dir = m->dir;
    *prefix = m->url.prefix;
    *trouble = m->ring;
    return 1;
}

void snivhost_mirror_set_ring(apr_uint64_t generation)
{
    snivhost_mirror_t *m = mirror_at(0);

    m->generation = generation;
    if (m->info)
        m->info->ring = generation;
}

int snivhost_mirror_challenges(int *dirfd, const char **prefix,
                               const sniv_challenge_keys_t **keys)
{
    const snivhost_mirror_t *m = mirror_at(0);

    if (!m || m->challenges < 0)
        return 0;
    *dirfd = m->challenges;
    *prefix = m->url.prefix;
    *keys = &m->challenge_keys;
    return 1;
}

/* ----- what the configuration names ----- */

/* A folder of ours, with nothing for others; there may be one already. */
static apr_status_t make_folder(const char *path)
{
    struct stat st;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return errno;
    if (lstat(path, &st) != 0)
        return errno;
    return S_ISDIR(st.st_mode) && st.st_uid == geteuid()
           && (st.st_mode & 077) == 0 ? APR_SUCCESS : APR_EACCES;
}

/* Stores of other addresses have other copies. */
static const char *copy_of(const sniv_store_url_t *url, apr_pool_t *p)
{
    const char *text = apr_pstrcat(p, url->text, "?",
                                   url->socket ? url->socket : "", NULL);
    apr_ssize_t len = APR_HASH_KEY_STRING;
    unsigned hash = apr_hashfunc_default(text, &len);

    return ap_runtime_dir_relative(p, apr_psprintf(p, "snivhost-store/%s-%08x",
                                                   url->prefix, hash));
}

static int make_copy(snivhost_mirror_t *m)
{
    const char *dir = m->dir;
    apr_status_t rv = APR_SUCCESS;

    if (!m->url.copy) {
        dir = ap_runtime_dir_relative(m->p, "snivhost-store");
        rv = dir ? make_folder(dir) : APR_EBADPATH;
    }
    if (rv == APR_SUCCESS)
        rv = make_folder(dir = m->dir);
    if (rv == APR_SUCCESS)
        rv = make_folder(dir = m->certs);
    if (rv == APR_SUCCESS)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, rv, NULL, "SNIV0370: "
                 "SNIVHostCertificates %s: the folder for its copy, %s, cannot "
                 "be used: it has to belong to the user that starts httpd, "
                 "with nothing for others (chmod 700)", m->url.text, dir);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int has_program(const snivhost_mirror_t *m)
{
    if (access(m->program, X_OK) == 0)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, errno, NULL,
                 "SNIV0371: SNIVHostCertificates %s: the program that reads "
                 "it, %s, cannot be run. Install snivhost-store, or add "
                 "?program=/path", m->url.text, m->program);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* The folder of an address; the same address again has the same one. */
static int folder_of(const char *address, server_rec *main_server,
                     const char **folder, apr_pool_t *pconf)
{
    snivhost_mirror_t *m;
    int i, status;

    for (i = 0; (m = mirror_at(i)) != NULL; i++) {
        if (!strcmp(m->address, address)) {
            *folder = m->certs;
            return OK;
        }
    }
    m = apr_pcalloc(pconf, sizeof(*m));
    m->address = address;
    m->s = main_server;
    m->p = pconf;
    m->was_good = -1;
    m->challenges = -1;
    (void)sniv_store_url_parse(&m->url, address, pconf);
    m->program = m->url.program ? m->url.program : SNIVHOST_STORE_PROGRAM;
    m->dir = m->url.copy ? m->url.copy : copy_of(&m->url, pconf);
    m->certs = apr_pstrcat(pconf, m->dir, "/certs", NULL);
    status = has_program(m);
    if (status == OK)
        status = make_copy(m);
    if (status == OK) {
        if (!snivhost_site.mirrors)
            snivhost_site.mirrors = apr_array_make(pconf, 1, sizeof(m));
        APR_ARRAY_PUSH(snivhost_site.mirrors, snivhost_mirror_t *) = m;
        *folder = m->certs;
    }
    return status;
}

static apr_status_t close_challenges(void *data)
{
    snivhost_mirror_t *m = data;

    (void)close(m->challenges);
    return APR_SUCCESS;
}

/*
 * Children may not enter the copy. They inherit this folder of it, open, in
 * which they may read a file whose name they know.
 */
static void open_challenges(snivhost_mirror_t *m)
{
    const char *dir = apr_pstrcat(m->p, m->dir, "/challenges", NULL);

    if (mkdir(dir, 0711) != 0 && errno != EEXIST)
        return;                 /* SNIV0370 has said so of the copy */
    m->challenges = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (m->challenges >= 0) {
        apr_pool_cleanup_register(m->p, m, close_challenges,
                                  apr_pool_cleanup_null);
        (void)fchmod(m->challenges, 0711);
    }
}

/* So that a mistake is seen now, and not in each entry. */
static int use_key(const char *path)
{
    sniv_store_keys_t keys;
    const char *reason = sniv_store_keys_read(&keys, path);
    snivhost_mirror_t *m = mirror_at(0);

    if (!reason && sniv_challenge_keys(&m->challenge_keys, &keys))
        open_challenges(m);
    sniv_store_keys_wipe(&keys);
    if (!reason)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL, "SNIV0379: "
                 "SNIVHostStoreKey: %s %s", path, reason);
    return HTTP_INTERNAL_SERVER_ERROR;
}

int snivhost_mirror_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *main_server)
{
    int status = OK, i;
    server_rec *s;

    (void)plog;
    (void)ptemp;
    if (snivhost_conf(main_server)->mode <= SNIVHOST_OFF)
        return OK;
    for (s = main_server; s && status == OK; s = s->next) {
        const apr_array_header_t *dirs = snivhost_conf(s)->store.dirs;

        for (i = 0; dirs && i < dirs->nelts && status == OK; i++) {
            const char **dir = &APR_ARRAY_IDX(dirs, i, const char *);

            if (sniv_store_url_is(*dir))
                status = folder_of(*dir, main_server, dir, pconf);
        }
    }
    return status == OK && snivhost_site.mirrors
           && snivhost_conf(main_server)->store.key
           ? use_key(snivhost_conf(main_server)->store.key) : status;
}

/* ----- the program ----- */

static void maintain(int reason, void *data, apr_wait_t status);

static apr_status_t run(snivhost_mirror_t *m)
{
    const snivhost_conf_t *conf = snivhost_conf(m->s);
    const char *env[] = { "PATH=/usr/bin:/bin", NULL };
    const char *args[] = { m->program, "copy", m->dir, "--parent", NULL,
                           "--store", m->address, NULL, NULL, NULL };
    int n = 7;
    apr_procattr_t *attr;
    apr_status_t rv;

    if (m->prun)
        apr_pool_clear(m->prun);
    else
        apr_pool_create(&m->prun, m->p);
    m->parent = getpid();
    args[4] = apr_psprintf(m->prun, "%ld", (long)getpid());
    if (m == mirror_at(0) && conf->store.key && conf->ticket_rotation != 0)
        args[n++] = "--ring";
    if (m->challenges >= 0)
        args[n] = "--challenges";
    rv = apr_procattr_create(&attr, m->prun);
    if (rv == APR_SUCCESS)
        rv = apr_procattr_io_set(attr, APR_NO_FILE, APR_FULL_BLOCK,
                                 APR_NO_PIPE);
    if (rv == APR_SUCCESS)
        rv = apr_procattr_cmdtype_set(attr, APR_PROGRAM);
    if (rv == APR_SUCCESS)
        rv = apr_procattr_error_check_set(attr, 1);
    if (rv == APR_SUCCESS)
        rv = apr_proc_create(&m->proc, m->program, args, env, attr,
                             m->prun);
    if (rv != APR_SUCCESS) {
        m->proc.pid = 0;
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, m->s, "SNIV0372: "
                     "store %s: the program that reads it, %s, cannot be "
                     "run; what is known is served", m->url.text, m->program);
        m->next = apr_time_now() + apr_time_from_sec(PAUSE);
        return rv;
    }
    apr_proc_other_child_register(&m->proc, maintain, m, NULL, m->prun);
    m->is_watched = 1;
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, m->s, "SNIV0373: "
                 "process %" APR_PID_T_FMT " keeps a copy of the store %s in "
                 "%s", m->proc.pid, m->url.text, m->dir);
    return APR_SUCCESS;
}

static void unwatch(snivhost_mirror_t *m)
{
    if (m->is_watched)
        apr_proc_other_child_unregister(m);
}

static int is_stopping(void)
{
    int state;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS
           || state == AP_MPMQ_STOPPING;
}

static void maintain(int reason, void *data, apr_wait_t status)
{
    snivhost_mirror_t *m = data;
    pid_t pid = m->proc.pid;

    (void)status;
    if (reason == APR_OC_REASON_UNREGISTER) {
        m->is_watched = 0;
    }
    else if (reason == APR_OC_REASON_RESTART) {
        unwatch(m);             /* stop() comes next */
    }
    else if (reason == APR_OC_REASON_DEATH || reason == APR_OC_REASON_LOST) {
        unwatch(m);
        m->proc.pid = 0;
        if (is_stopping())
            return;
        m->next = apr_time_now() + apr_time_from_sec(PAUSE);
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, m->s, "SNIV0374: "
                     "process %" APR_PID_T_FMT ", which reads the store %s, "
                     "has ended; what is known is served, and another one is "
                     "started in %d s", pid, m->url.text, PAUSE);
    }
}

/* With the configuration. It writes nothing that may not be cut off. */
static apr_status_t stop(void *data)
{
    snivhost_mirror_t *m = data;
    apr_proc_t proc = m->proc;
    int i;

    if (!proc.pid || m->parent != getpid())
        return APR_SUCCESS;
    unwatch(m);
    m->proc.pid = 0;
    (void)apr_proc_kill(&proc, SIGKILL);
    for (i = 0; i < STOP_WAIT; i++) {
        if (apr_proc_wait(&proc, NULL, NULL, APR_NOWAIT) != APR_CHILD_NOTDONE)
            break;
        apr_sleep(apr_time_from_msec(5));
    }
    return APR_SUCCESS;
}

/* ----- the start ----- */

/* The first attempt is over when the program closes its standard output. */
static void wait_until(snivhost_mirror_t *m, apr_time_t end)
{
    apr_interval_time_t left = end - apr_time_now();
    apr_status_t rv;
    apr_size_t n = 1;
    char c;

    if (!m->proc.pid)
        return;
    (void)apr_file_pipe_timeout_set(m->proc.out, left > 0 ? left : 0);
    rv = m->is_waited_for ? apr_file_read(m->proc.out, &c, &n) : APR_SUCCESS;
    if (APR_STATUS_IS_TIMEUP(rv) || APR_STATUS_IS_EAGAIN(rv)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, m->s, "SNIV0375: "
                     "store %s was not read within %d s: the start continues "
                     "with what its copy has, and the rest is served as it is "
                     "read", m->url.text, m->url.timeout);
    }
    (void)apr_file_close(m->proc.out);
}

static int has_been_read(const snivhost_mirror_t *m)
{
    struct stat st;

    return stat(apr_pstrcat(m->p, m->dir, "/state", NULL), &st) == 0;
}

static void share_infos(apr_pool_t *pconf)
{
    apr_size_t n = (apr_size_t)snivhost_site.mirrors->nelts;
    snivhost_mirror_info_t *infos;
    snivhost_mirror_t *m;
    apr_shm_t *shm;
    int i;

    if (apr_shm_create(&shm, n * sizeof(*infos), NULL, pconf) != APR_SUCCESS)
        return;                 /* the status page has nothing then */
    infos = apr_shm_baseaddr_get(shm);
    memset(infos, 0, n * sizeof(*infos));
    for (i = 0; (m = mirror_at(i)) != NULL; i++)
        m->info = &infos[i];
}

int snivhost_mirror_start(apr_pool_t *pconf, apr_pool_t *plog,
                          apr_pool_t *ptemp, server_rec *s)
{
    int is_first = ap_state_query(AP_SQ_MAIN_STATE)
                   == AP_SQ_MS_CREATE_PRE_CONFIG;
    int is_restart = ap_state_query(AP_SQ_CONFIG_GEN) > 1;
    apr_time_t now = apr_time_now();
    snivhost_mirror_t *m;
    int i;

    (void)plog;
    (void)ptemp;
    if (!snivhost_site.mirrors)
        return OK;
    if (!is_first)
        share_infos(pconf);
    for (i = 0; (m = mirror_at(i)) != NULL; i++) {
        /* In the first of the two passes of a start certificates are only
         * needed for mod_ssl's sake: those of the last run will do. */
        if (is_first && has_been_read(m))
            continue;
        /* A restart has the copy of a moment ago: clients are waiting. */
        m->is_waited_for = !is_restart || !has_been_read(m);
        apr_pool_cleanup_register(pconf, m, stop, apr_pool_cleanup_null);
        (void)run(m);
    }
    for (i = 0; (m = mirror_at(i)) != NULL; i++)
        wait_until(m, now + apr_time_from_sec(m->url.timeout));
    if (!is_first)
        (void)snivhost_mirror_monitor(pconf, s);
    return OK;
}

/* ----- what the program notes ----- */

typedef struct note_t {
    snivhost_mirror_info_t info;
    const char *first;
    const char *reason;
    const char *ring;
} note_t;

static void take_line(note_t *note, const char *key, const char *value)
{
    apr_int64_t n = apr_strtoi64(value, NULL, 10);

    if (!strcmp(key, "state"))
        note->info.is_good = !strcmp(value, "good");
    else if (!strcmp(key, "read"))
        note->info.read = apr_time_from_sec(n);
    else if (!strcmp(key, "version"))
        note->info.version = n;
    else if (!strcmp(key, "entries"))
        note->info.entries = (apr_uint32_t)n;
    else if (!strcmp(key, "skipped"))
        note->info.skipped = (apr_uint32_t)n;
    else if (!strcmp(key, "failures"))
        note->info.failures = (apr_uint32_t)n;
    else if (!strcmp(key, "first"))
        note->first = value;
    else if (!strcmp(key, "reason"))
        note->reason = value;
    else if (!strcmp(key, "ring"))
        note->ring = value;
}

/* @return 0: there is no note */
static int read_note(const snivhost_mirror_t *m, note_t *note, apr_pool_t *p)
{
    const char *path = apr_pstrcat(p, m->dir, "/state", NULL);
    char *text = apr_palloc(p, 4096), *line, *value, *last;
    apr_size_t n = 4095;
    apr_file_t *file;
    apr_status_t rv;

    memset(note, 0, sizeof(*note));
    note->first = note->reason = note->ring = "";
    if (apr_file_open(&file, path, APR_FOPEN_READ, 0, p) != APR_SUCCESS)
        return 0;
    rv = apr_file_read(file, text, &n);
    apr_file_close(file);
    if (rv != APR_SUCCESS)
        return 0;
    text[n] = '\0';
    for (line = apr_strtok(text, "\n", &last); line;
         line = apr_strtok(NULL, "\n", &last)) {
        value = strchr(line, ' ');
        if (value) {
            *value++ = '\0';
            take_line(note, line, value);
        }
    }
    return 1;
}

static void say(snivhost_mirror_t *m, const note_t *note, apr_pool_t *p)
{
    apr_time_t now = apr_time_now();
    char date[APR_RFC822_DATE_LEN] = "never";

    if (note->info.is_good && m->was_good != 1) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, m->s, "SNIV0376: "
                     "store %s: %u certificates, version %" APR_INT64_T_FMT,
                     m->url.text, note->info.entries, note->info.version);
    }
    if (note->info.is_good && note->info.skipped != m->was_skipped
        && note->info.skipped > 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, m->s, "SNIV0377: "
                     "store %s: %u of its entries are not used, the first: %s",
                     m->url.text, note->info.skipped,
                     ap_escape_logitem(p, note->first));
    }
    if (!note->info.is_good
        && (m->was_good != 0 || note->info.read > m->said
            || now - m->said >= SAY_PERIOD || now < m->said)) {
        if (note->info.read)
            apr_rfc822_date(date, note->info.read);
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, m->s, "SNIV0378: "
                     "store %s is not read, what is known is served (last "
                     "read: %s): %s", m->url.text, date,
                     ap_escape_logitem(p, note->reason));
        m->said = now;
    }
    m->was_good = note->info.is_good;
    m->was_skipped = note->info.skipped;
}

int snivhost_mirror_monitor(apr_pool_t *p, server_rec *s)
{
    snivhost_mirror_t *m;
    apr_pool_t *ptemp;
    note_t note;
    int i;

    (void)s;
    if (!snivhost_site.mirrors)
        return DECLINED;
    apr_pool_create(&ptemp, p);
    for (i = 0; (m = mirror_at(i)) != NULL; i++) {
        if (!m->proc.pid && apr_time_now() >= m->next && run(m) == APR_SUCCESS)
            (void)apr_file_close(m->proc.out);
        if (read_note(m, &note, ptemp)) {
            note.info.ring = m->generation;
            if (m->info)
                *m->info = note.info;
            apr_cpystrn(m->ring, note.ring, sizeof(m->ring));
            say(m, &note, ptemp);
        }
        apr_pool_clear(ptemp);
    }
    apr_pool_destroy(ptemp);
    return DECLINED;
}
