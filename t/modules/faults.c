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
 * For LD_PRELOAD: what can go wrong with the process that looks for changed
 * certificates, while a file asks for it. Each word in the file that
 * SNIV_FAULTS names is a fault:
 *
 *     watches     no more folders can be watched
 *     instances   nothing can be watched
 *     hang        a file system does not respond, for paths with "slow"
 *     full        nothing can be written: the disk is full
 *     clock N     the clock is N seconds off
 *     fork        the module in the file SNIV_MODULE cannot start a process
 *
 * All but the last one happen in that process only.
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

/* What stands behind a word in the file; NULL: it is not asked for. */
static const char *asked(const char *word)
{
    static __thread char text[256];
    const char *path = getenv("SNIV_FAULTS"), *found;
    int was = errno, fd;
    ssize_t n = 0;

    fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) : -1;
    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    errno = was;
    found = strstr(text, word);
    return found ? found + strlen(word) : NULL;
}

static int is_keeper(void)
{
    char name[16] = "";

    return prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "snivhost-keeper");
}

static int fails(const char *word, int error)
{
    if (!is_keeper() || !asked(word))
        return 0;
    errno = error;
    return 1;
}

static void hang(const char *path)
{
    const struct timespec some = { 0, 50000000 };

    while (strstr(path, "slow") && is_keeper() && asked("hang"))
        nanosleep(&some, NULL);
}

int inotify_init1(int flags)
{
    return fails("instances", EMFILE) ? -1 : NEXT(inotify_init1)(flags);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    return fails("watches", ENOSPC) ? -1
           : NEXT(inotify_add_watch)(fd, path, mask);
}

int stat(const char *path, struct stat *st)
{
    hang(path);
    return NEXT(stat)(path, st);
}

DIR *opendir(const char *path)
{
    hang(path);
    return NEXT(opendir)(path);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    int mode;

    va_start(args, flags);
    mode = va_arg(args, int);
    va_end(args);
    hang(path);
    return NEXT(openat)(dir, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    return fails("full", ENOSPC) ? -1 : NEXT(write)(fd, bytes, len);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    return fails("full", ENOSPC) ? -1 : NEXT(writev)(fd, parts, n);
}

int gettimeofday(struct timeval *tv, void *zone)
{
    int rv = NEXT(gettimeofday)(tv, zone);
    const char *by = rv == 0 && is_keeper() ? asked("clock") : NULL;

    if (by)
        tv->tv_sec += atol(by);
    return rv;
}

pid_t fork(void)
{
    const char *module = getenv("SNIV_MODULE");
    Dl_info from;

    if (module && dladdr(__builtin_return_address(0), &from)
        && from.dli_fname && !strcmp(from.dli_fname, module)
        && asked("fork")) {
        errno = EAGAIN;
        return -1;
    }
    return NEXT(fork)();
}
