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

#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* ppoll() */
#endif

#include "tls/keeper.h"

#include "certs/watch.h"

#include "ap_listen.h"
#include "ap_mpm.h"
#include "http_core.h"
#include "http_main.h"
#include "apr_portable.h"
#include "apr_thread_proc.h"

#if defined(__linux__) && APR_HAS_OTHER_CHILD

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

#define LOOK_BUDGET apr_time_from_msec(200)
#define SETTLE apr_time_from_msec(300)  /* writers finish meanwhile */
#define GATHER apr_time_from_msec(50)   /* a change is several events */
#define TICK apr_time_from_msec(100)    /* while something is being written */
#define RARELY apr_time_from_sec(3600)  /* rounds where all is watched */
#define STOP_WAIT 500                   /* milliseconds, twice */
#define FIRST_WAIT apr_time_from_sec(5) /* for the folders, after a restart */
#define LIVED_WELL apr_time_from_sec(60)
#define PAUSE_FIRST 10                  /* seconds */
#define PAUSE_MAX 600

typedef struct keeper_t {
    sniv_certs_t *certs;
    snivhost_storelog_t *log;
    apr_interval_time_t interval;
    const server_rec *s;
    apr_pool_t *p;
    pid_t parent;
    apr_proc_t proc;                    /* its pid: 0 if there is none */
    apr_time_t started;
    apr_time_t next;                    /* when to start another one */
    int pause;                          /* seconds before that */
    int has_run;                        /* another one before */
    int is_watched;                     /* registered with APR */
    int is_told;                        /* that not all is watched */
} keeper_t;

/* In the parent: of the running configuration, or NULL. */
static keeper_t *keeper;

/* ----- in the keeper ----- */

static volatile sig_atomic_t is_ended;

static void end(int sig)
{
    (void)sig;
    is_ended = 1;
}

/*
 * The parent's handlers are not for this process. It is asked to end by
 * SIGTERM, which also comes to the whole group, and ends between two looks;
 * what restarts a server is none of its business.
 */
static void set_signals(sigset_t *while_waiting)
{
    static const int ignored[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH,
                                   SIGPIPE, SIGALRM };
    struct sigaction action;
    sigset_t block;
    apr_size_t i;
    int sig;

    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_DFL;
    for (sig = 1; sig < 32; sig++)
        (void)sigaction(sig, &action, NULL);
    action.sa_handler = SIG_IGN;
    for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)sigaction(ignored[i], &action, NULL);
    action.sa_handler = end;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    sigemptyset(while_waiting);
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGINT);
    (void)sigprocmask(SIG_SETMASK, &block, NULL);
}

/* Log providers may have a connection to a daemon of this machine. */
static int is_for_logs(int fd, int error_log)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr), type_len = sizeof(int);
    struct stat st;
    int type;

    if (fd <= 2 || fd == error_log)
        return 1;
    if (fstat(fd, &st) != 0 || S_ISCHR(st.st_mode))
        return 1;               /* /dev/urandom */
    return S_ISSOCK(st.st_mode)
           && getsockname(fd, (struct sockaddr *)&addr, &len) == 0
           && addr.ss_family == AF_UNIX
           && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0
           && type == SOCK_DGRAM;
}

static void close_others(const server_rec *s)
{
    int error_log = -1, fd;
    struct dirent *entry;
    apr_os_file_t file;
    DIR *dir;

    ap_close_listeners();
    if (s->error_log && apr_os_file_get(&file, s->error_log) == APR_SUCCESS)
        error_log = file;
    dir = opendir("/proc/self/fd");
    while (dir && (entry = readdir(dir)) != NULL) {
        fd = atoi(entry->d_name);
        if (fd != dirfd(dir) && !is_for_logs(fd, error_log))
            close(fd);
    }
    if (dir)
        closedir(dir);
}

/* Root without rights but to read what belongs to others. */
static void drop_capabilities(void)
{
    struct __user_cap_header_struct head;
    struct __user_cap_data_struct data[2];
    const __u32 kept = 1u << CAP_DAC_READ_SEARCH;

    memset(&head, 0, sizeof(head));
    head.version = _LINUX_CAPABILITY_VERSION_3;
    if (syscall(SYS_capget, &head, data) != 0)
        return;
    data[0].permitted &= kept;
    data[0].effective &= kept;
    data[0].inheritable = 0;
    memset(&data[1], 0, sizeof(data[1]));
    (void)syscall(SYS_capset, &head, data);
}

static void settle_down(const keeper_t *k, sigset_t *while_waiting)
{
    set_signals(while_waiting);
    (void)prctl(PR_SET_NAME, "snivhost-keeper", 0, 0, 0);
    drop_capabilities();
#ifdef PR_SET_NO_NEW_PRIVS
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != k->parent)
        _exit(0);               /* it has died before that line */
    close_others(k->s);
}

/* Asleep for a time, or until something may have changed. */
static void sleep_for(apr_interval_time_t time, const sniv_watch_t *watch,
                      const sigset_t *mask)
{
    struct pollfd file;
    struct timespec t;

    file.fd = watch ? sniv_watch_fd(watch) : -1;
    file.events = POLLIN;
    t.tv_sec = (time_t)apr_time_sec(time);
    t.tv_nsec = (long)apr_time_usec(time) * 1000;
    (void)ppoll(&file, 1, &t, mask);
}

static void say_incomplete(const keeper_t *k, const char *reason)
{
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, k->s, "SNIV0354: "
                 "certificates: %s. They are looked at every %d s instead",
                 reason, (int)apr_time_sec(k->interval));
}

/* How long from one round to the next if nothing is heard of. */
static apr_interval_time_t pace_of(keeper_t *k, const sniv_watch_t *watch)
{
    const char *reason = "this system has no way to report changes of "
                         "folders now (fs.inotify.max_user_instances)";
    int is_complete = watch && sniv_watch_is_complete(watch, &reason);

    if (!is_complete && reason && !k->is_told) {
        k->is_told = 1;
        say_incomplete(k, reason);
    }
    return is_complete && sniv_certs_is_settled(k->certs)
           && k->interval < RARELY ? RARELY : k->interval;
}

/* What moves the keeper. */
typedef struct pulse_t {
    sniv_watch_t *watch;        /* or NULL */
    apr_interval_time_t pace;   /* from one round to the next */
    int is_lost;                /* changes unheard of: a round is wanted */
    int is_in_round;
    apr_time_t start;           /* of the last one */
    apr_time_t last;            /* its end */
    apr_interval_time_t work;   /* how long the last look took */
} pulse_t;

static apr_interval_time_t larger(apr_interval_time_t a,
                                  apr_interval_time_t b)
{
    return a > b ? a : b;
}

static apr_interval_time_t rest_of(const pulse_t *pulse)
{
    return SETTLE + 2 * (pulse->last - pulse->start);
}

static int is_round_due(const pulse_t *pulse, apr_time_t now)
{
    apr_interval_time_t since = now - pulse->last;

    return since < 0 || since >= pulse->pace
           || (pulse->is_lost && since >= rest_of(pulse));
}

static void look(keeper_t *k, pulse_t *pulse)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t interval = APR_INT64_MAX;

    if (!pulse->is_in_round && is_round_due(pulse, now)) {
        pulse->start = now;
        pulse->is_in_round = 1;
        pulse->is_lost = 0;
        interval = 0;
    }
    if (pulse->watch)
        sniv_watch_update(pulse->watch, k->certs);
    sniv_certs_look(k->certs, now, interval, LOOK_BUDGET,
                    snivhost_storelog_note, k->log);
    snivhost_storelog_tick(k->log);
    if (pulse->watch)
        sniv_watch_update(pulse->watch, k->certs);
    pulse->pace = pace_of(k, pulse->watch);
    pulse->work = larger(apr_time_now() - now, 0);
    if (sniv_certs_due(k->certs) == SNIV_CERTS_MORE) {
        pulse->is_in_round = 1;
    }
    else if (pulse->is_in_round) {
        pulse->is_in_round = 0;
        pulse->last = apr_time_now();
    }
}

/* How long to rest; up to that time what is heard of is waited for. */
static apr_interval_time_t rest_until_look(const keeper_t *k,
                                           const pulse_t *pulse,
                                           apr_interval_time_t *listen)
{
    apr_interval_time_t pace = pulse->pace;

    *listen = 0;
    if (pulse->is_in_round)
        return 0;
    if (sniv_certs_due(k->certs) == SNIV_CERTS_SETTLE
        || (pulse->watch && !sniv_watch_is_idle(pulse->watch))) {
        return larger(TICK, 2 * pulse->work);
    }
    *listen = pulse->is_lost && rest_of(pulse) < pace ? rest_of(pulse) : pace;
    return larger(GATHER, 2 * pulse->work);
}

/*
 * What is heard of is looked at after a moment, and what has not been heard
 * in a round. After both there is a rest of twice the time that it took,
 * whoever changes what how often.
 */
static void keep(keeper_t *k, const sigset_t *while_waiting)
{
    apr_interval_time_t rest, listen;
    pulse_t pulse;

    memset(&pulse, 0, sizeof(pulse));
    pulse.watch = sniv_watch_make(k->p);
    pulse.pace = k->interval;
    pulse.start = pulse.last = apr_time_now();
    while (!is_ended) {
        look(k, &pulse);
        rest = rest_until_look(k, &pulse, &listen);
        if (listen)
            sleep_for(listen, pulse.watch, while_waiting);
        if (rest && !is_ended)
            sleep_for(rest, NULL, while_waiting);
        if (pulse.watch)
            pulse.is_lost |= sniv_watch_read(pulse.watch, k->certs);
    }
}

static void run(keeper_t *k)
{
    const int is_behind = sniv_certs_is_behind(k->certs);
    sigset_t while_waiting;

    settle_down(k, &while_waiting);
    if ((k->has_run || is_behind)
        && sniv_certs_take_over(k->certs, snivhost_storelog_note, k->log)
           != APR_SUCCESS) {
        _exit(1);
    }
    if (is_behind)
        snivhost_storelog_flush(k->log);
    keep(k, &while_waiting);
    _exit(0);
}

/* ----- in the parent ----- */

static void maintain(int reason, void *data, apr_wait_t status);

static int start(keeper_t *k)
{
    pid_t pid = sniv_certs_fork(k->certs);

    if (pid == 0)
        run(k);
    if (pid < 0)
        return 0;
    k->proc.pid = pid;
    k->started = apr_time_now();
    k->has_run = 1;
    apr_proc_other_child_register(&k->proc, maintain, k, NULL, k->p);
    k->is_watched = 1;
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, k->s, "SNIV0350: "
                 "process %" APR_PID_T_FMT " looks for changed certificates",
                 pid);
    return 1;
}

/* Each time that one has not lived long the pause is longer. */
static void begin_pause(keeper_t *k, apr_time_t now)
{
    k->pause = k->pause == 0 ? PAUSE_FIRST
               : k->pause * 2 > PAUSE_MAX ? PAUSE_MAX : k->pause * 2;
    k->next = now + apr_time_from_sec(k->pause);
}

static void start_again(keeper_t *k)
{
    apr_time_t now = apr_time_now();

    /* a clock that was put back must not be waited for */
    if (now < k->next && k->next - now <= apr_time_from_sec(k->pause))
        return;
    if (!start(k)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, errno, k->s, "SNIV0351: "
                     "the process that looks for changed certificates cannot "
                     "be started; renewed certificates are not served until "
                     "it can");
        begin_pause(k, now);
    }
}

/* What is not registered must not be unregistered. */
static void unwatch(keeper_t *k)
{
    if (k->is_watched) {
        apr_proc_other_child_unregister(k);
    }
}

static void say_how(const keeper_t *k, pid_t pid, int reason, int status)
{
    const char *how = "has ended";
    int number = 0;

    if (reason == APR_OC_REASON_DEATH && WIFSIGNALED(status)) {
        how = "was ended by signal";
        number = WTERMSIG(status);
    }
    else if (reason == APR_OC_REASON_DEATH) {
        how = "has ended with status";
        number = WEXITSTATUS(status);
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, k->s, "SNIV0352: "
                 "process %" APR_PID_T_FMT ", which looks for changed "
                 "certificates, %s %d; all certificates are served as they "
                 "are, and another one is started in %d s", pid, how, number,
                 k->pause);
}

static int is_stopping(void)
{
    int state;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS
           || state == AP_MPMQ_STOPPING;
}

static void maintain(int reason, void *data, apr_wait_t status)
{
    keeper_t *k = data;
    apr_time_t now = apr_time_now();
    pid_t pid = k->proc.pid;

    if (reason == APR_OC_REASON_UNREGISTER) {
        k->is_watched = 0;      /* also by the end of the pool */
    }
    else if (reason == APR_OC_REASON_RESTART) {
        unwatch(k);             /* stop() comes next */
    }
    else if (reason == APR_OC_REASON_DEATH || reason == APR_OC_REASON_LOST) {
        unwatch(k);
        k->proc.pid = 0;
        if (is_stopping())
            return;
        if (now - k->started > LIVED_WELL) {
            k->pause = 0;
            k->next = now;
        }
        else {
            begin_pause(k, now);
        }
        say_how(k, pid, reason, status);
        if (k->pause == 0)
            start_again(k);
    }
}

int snivhost_keeper_monitor(void)
{
    if (!keeper)
        return 0;
    if (!keeper->proc.pid)
        start_again(keeper);
    return 1;
}

/* Whether it has ended, after some milliseconds at most. */
static int has_ended(pid_t pid, int milliseconds)
{
    pid_t rv;

    for (;;) {
        rv = waitpid(pid, NULL, WNOHANG);
        if (rv == pid || (rv < 0 && errno == ECHILD))
            return 1;
        if (milliseconds <= 0)
            return 0;
        apr_sleep(apr_time_from_msec(5));
        milliseconds -= 5;
    }
}

/* With the configuration. One that hangs in a file system that does not
 * answer even to SIGKILL ends when that one does. */
static apr_status_t stop(void *data)
{
    keeper_t *k = data;
    pid_t pid = k->proc.pid;

    if (k->parent != getpid())
        return APR_SUCCESS;
    keeper = NULL;
    k->proc.pid = 0;
    if (pid) {
        unwatch(k);
        kill(pid, SIGTERM);
        if (!has_ended(pid, STOP_WAIT)) {
            kill(pid, SIGKILL);
            (void)has_ended(pid, STOP_WAIT);
        }
    }
    return APR_SUCCESS;
}

static int has_died(pid_t pid)
{
    siginfo_t info;

    info.si_pid = 0;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0
           || info.si_pid != 0;
}

/*
 * After a restart the folders are read here first, so that it shows what is in
 * them. That is waited for, but not for a folder that hangs.
 */
static void await_first(const keeper_t *k)
{
    apr_time_t end = apr_time_now() + FIRST_WAIT;

    while (sniv_certs_is_behind(k->certs) && !has_died(k->proc.pid)) {
        if (apr_time_now() > end) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, k->s, "SNIV0358: "
                         "the folders with certificates have not been read "
                         "after %d s: those that were served before the "
                         "restart are served on until they have",
                         (int)apr_time_sec(FIRST_WAIT));
            break;
        }
        apr_sleep(apr_time_from_msec(5));
    }
}

int snivhost_keeper_start(sniv_certs_t *certs, snivhost_storelog_t *log,
                          apr_interval_time_t interval, const server_rec *s,
                          apr_pool_t *pconf)
{
    keeper_t *k;

    if (!sniv_certs_is_shared(certs) || ap_exists_config_define("ONE_PROCESS"))
        return 0;
    k = apr_pcalloc(pconf, sizeof(*k));
    k->certs = certs;
    k->log = log;
    k->interval = interval;
    k->s = s;
    k->p = pconf;
    k->parent = getpid();
    if (!start(k)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, errno, s, "SNIV0353: "
                     "no process for changed certificates can be started: "
                     "the main process looks for them");
        return 0;
    }
    keeper = k;
    /* before what the store leaves to the next one is taken */
    apr_pool_pre_cleanup_register(pconf, k, stop);
    await_first(k);
    return 1;
}

#else /* no keeper */

int snivhost_keeper_start(sniv_certs_t *certs, snivhost_storelog_t *log,
                          apr_interval_time_t interval, const server_rec *s,
                          apr_pool_t *pconf)
{
    (void)certs;
    (void)log;
    (void)interval;
    (void)s;
    (void)pconf;
    return 0;
}

int snivhost_keeper_monitor(void)
{
    return 0;
}

#endif
