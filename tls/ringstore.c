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

#include "tls/ringstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_strings.h"
#include "http_log.h"
#include "http_core.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "tls/mirror.h"

/* Until all servers have looked: the monitor does so every 10 seconds. */
#define SETTLE apr_time_from_sec(30)
#define SAY_PERIOD apr_time_from_sec(60)
/* By which no clock is wrong. */
#define WRONG_CLOCK apr_time_from_sec(86400)

enum {
    STORE_UNKNOWN,              /* not read yet */
    STORE_EMPTY,
    STORE_USED,                 /* the ring in use, or its successor */
    STORE_OLD,                  /* one from before that */
    STORE_BAD                   /* what cannot be opened */
};

/* ----- files ----- */

/* @param bytes room for SNIV_RING_BOX_MAX + 1
 * @return its length, -1: there is none */
static apr_ssize_t read_file(const snivhost_ringstore_t *store,
                             const char *name, unsigned char *bytes)
{
    const char *path = apr_pstrcat(store->p, store->dir, "/", name, NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    apr_ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, bytes, SNIV_RING_BOX_MAX + 1);
    close(fd);
    return n;
}

static void say_unwritten(const snivhost_ringstore_t *store,
                          const char *path, int error)
{
    static apr_time_t said;
    apr_time_t now = apr_time_now();

    if (now - said < SAY_PERIOD && now >= said)
        return;
    said = now;
    ap_log_error(APLOG_MARK, APLOG_ERR, error, store->s, "SNIV0384: "
                 "store %s: %s, which has the secrets of session tickets for "
                 "other servers or a restart, cannot be written", store->url,
                 path);
}

static void write_file(const snivhost_ringstore_t *store, const char *name,
                       const char *line, const unsigned char *bytes,
                       apr_size_t len)
{
    const char *path = apr_pstrcat(store->p, store->dir, "/", name, NULL);
    const char *temp = apr_psprintf(store->p, "%s.%ld", path,
                                    (long)getpid());
    FILE *file;
    int fd, is_good;

    (void)unlink(temp);
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file) {
        is_good = fputs(line, file) >= 0
                  && fwrite(bytes, 1, len, file) == len;
        if (fclose(file) == 0 && is_good && rename(temp, path) == 0)
            return;
    }
    say_unwritten(store, path, errno);
    (void)unlink(temp);
}

static void digest_of(char text[65], const unsigned char *bytes,
                      apr_size_t len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    int i;

    if (!EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL))
        memset(digest, 0, sizeof(digest));
    for (i = 0; i < 32; i++)
        apr_snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* ----- the ring in use ----- */

static void keep(const snivhost_ringstore_t *store, const sniv_ring_t *ring,
                 const sniv_store_keys_t *keys)
{
    unsigned char box[SNIV_RING_BOX_MAX];
    apr_size_t len = sniv_ring_seal(ring, keys, store->prefix, box);

    if (len)
        write_file(store, "ring", "", box, len);
}

/* How long it has been here; -1: that is not known. */
static apr_interval_time_t age_of(const snivhost_ringstore_t *store)
{
    struct stat st;

    if (stat(apr_pstrcat(store->p, store->dir, "/ring", NULL), &st) != 0)
        return -1;
    return apr_time_now() - apr_time_from_sec(st.st_mtime);
}

static int is_overdue(const snivhost_ringstore_t *store,
                      const sniv_ring_t *ring, int times)
{
    apr_interval_time_t age = age_of(store), every = store->every * times;
    apr_interval_time_t since = apr_time_now() - ring->made[0];

    if (age < 0)
        age = since;            /* by the clock of who has made it */
    /* A clock that was put back does not keep a secret for ever, nor do
     * servers that all begin anew from time to time. */
    return age >= every || since >= every + WRONG_CLOCK
           || since <= -WRONG_CLOCK;
}

/* A new secret encrypts when all servers have had time to see it. */
static int settle(const snivhost_ringstore_t *store, sniv_ring_t *ring)
{
    apr_interval_time_t settle = store->every / 4 < SETTLE ? store->every / 4
                                                           : SETTLE;
    apr_interval_time_t age = age_of(store);
    apr_uint32_t in_use = ring->nkeys > 1 && age >= 0 && age < settle;
    int is_changed = in_use != ring->in_use;

    ring->in_use = in_use;
    return is_changed;
}

/* That of the last run. */
static int recall(const snivhost_ringstore_t *store, sniv_ring_t *ring,
                  const sniv_store_keys_t *keys)
{
    unsigned char box[SNIV_RING_BOX_MAX + 1];
    apr_ssize_t len = read_file(store, "ring", box);
    sniv_ring_t kept;

    if (len <= 0 || len > SNIV_RING_BOX_MAX
        || sniv_ring_open(&kept, keys, store->prefix, box, (apr_size_t)len)) {
        return 0;
    }
    *ring = kept;
    OPENSSL_cleanse(&kept, sizeof(kept));
    return 1;
}

/* ----- the ring in the store ----- */

static void say_bad(const snivhost_ringstore_t *store, const char *reason,
                    const char *remedy)
{
    static char said[65];

    if (!strcmp(said, store->base))
        return;
    memcpy(said, store->base, sizeof(said));
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, store->s, "SNIV0382: "
                 "store %s: its ring of session ticket secrets, %s:ring, %s. "
                 "The one in use stays%s", store->url, store->prefix, reason,
                 remedy);
}

static int use(snivhost_ringstore_t *store, sniv_ring_t *ring,
               const sniv_ring_t *theirs, const sniv_store_keys_t *keys)
{
    store->generation = theirs->generation;
    if (theirs->generation < ring->generation) {
        store->state = STORE_OLD;
        say_bad(store, "is older than the one in use", ", and is put there "
                "again");
        return 0;
    }
    store->state = STORE_USED;
    if (sniv_ring_is_same(ring, theirs))
        return 0;
    ap_log_error(APLOG_MARK, ring->generation ? APLOG_INFO : APLOG_NOTICE, 0,
                 store->s, "SNIV0381: store %s: session ticket secrets, "
                 "generation %" APR_UINT64_T_FMT ", are shared by all servers "
                 "that have its key", store->url, theirs->generation);
    *ring = *theirs;
    keep(store, ring, keys);
    return 1;
}

static int look(snivhost_ringstore_t *store, sniv_ring_t *ring,
                const sniv_store_keys_t *keys)
{
    unsigned char box[SNIV_RING_BOX_MAX + 1];
    apr_ssize_t len = read_file(store, "ring.store", box);
    const char *reason;
    sniv_ring_t theirs;
    int is_changed;

    apr_cpystrn(store->base, "none", sizeof(store->base));
    store->state = len < 0 ? STORE_UNKNOWN : STORE_EMPTY;
    if (len <= 0)
        return 0;
    digest_of(store->base, box, (apr_size_t)len);
    reason = len > SNIV_RING_BOX_MAX ? "has more than 1 KiB"
             : sniv_ring_open(&theirs, keys, store->prefix, box,
                              (apr_size_t)len);
    if (reason) {
        store->state = STORE_BAD;
        say_bad(store, reason,
                apr_psprintf(store->p, ". If SNIVHostStoreKey is right, "
                             "remove that one: DEL %s:ring", store->prefix));
        return 0;
    }
    is_changed = use(store, ring, &theirs, keys);
    OPENSSL_cleanse(&theirs, sizeof(theirs));
    return is_changed;
}

static void say_overdue(const snivhost_ringstore_t *store,
                        const sniv_ring_t *ring)
{
    static apr_uint64_t said;
    char date[APR_RFC822_DATE_LEN];

    if (said == ring->generation || !is_overdue(store, ring, 2))
        return;
    said = ring->generation;
    apr_rfc822_date(date, ring->made[0]);
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, store->s, "SNIV0383: "
                 "store %s: the session ticket secrets of %s should have been "
                 "replaced (SNIVHostTicketRotation) and stay in use: no server "
                 "has put new ones into the store%s%s", store->url, date,
                 *store->trouble ? ": it " : "",
                 ap_escape_logitem(store->p, store->trouble));
}

int snivhost_ringstore_take(snivhost_ringstore_t *store, sniv_ring_t *ring,
                            apr_interval_time_t every, apr_pool_t *p,
                            server_rec *s)
{
    sniv_store_keys_t keys;
    int is_changed = 0;

    memset(store, 0, sizeof(*store));
    store->every = every;
    store->p = p;
    store->s = s;
    store->key_file = snivhost_conf(s)->store.key;
    if (!snivhost_mirror_ring(&store->url, &store->dir, &store->prefix,
                              &store->trouble)
        || !store->key_file) {
        is_changed = ring->in_use != 0;
        ring->generation = ring->in_use = 0;
        store->dir = NULL;
        return is_changed;
    }
    /* It was there at the start: if it is not now, all stays as it is. */
    if (sniv_store_keys_read(&keys, store->key_file))
        return 0;
    if (!ring->generation)
        is_changed = recall(store, ring, &keys);
    is_changed |= look(store, ring, &keys);
    sniv_store_keys_wipe(&keys);
    if (ring->generation) {
        is_changed |= settle(store, ring);
        say_overdue(store, ring);
    }
    snivhost_mirror_set_ring(ring->generation);
    return is_changed;
}

/* ----- offers ----- */

/* Whether there is an offer of this base, which the program has not seen. */
static int is_waiting(const snivhost_ringstore_t *store)
{
    unsigned char bytes[SNIV_RING_BOX_MAX + 1];
    apr_size_t len = strlen(store->base);

    return read_file(store, "ring.new", bytes) > (apr_ssize_t)len
           && !memcmp(bytes, store->base, len) && bytes[len] == '\n';
}

/* What the store should have. @return 0: it has that */
static int next_of(const snivhost_ringstore_t *store, const sniv_ring_t *ring,
                   sniv_ring_t *next)
{
    int is_changed;

    *next = *ring;
    if (store->state == STORE_EMPTY || store->state == STORE_OLD) {
        next->generation += next->generation == 0;
        return 1;
    }
    if (store->state != STORE_USED || !is_overdue(store, ring, 1))
        return 0;
    next->generation++;
    return sniv_ring_turn(next, apr_time_now(), 0, &is_changed)
           == APR_SUCCESS;
}

void snivhost_ringstore_offer(snivhost_ringstore_t *store,
                              const sniv_ring_t *ring)
{
    unsigned char box[SNIV_RING_BOX_MAX];
    sniv_store_keys_t keys;
    sniv_ring_t next;
    apr_size_t len;

    if (!store->dir || !ring->nkeys)
        return;
    if (next_of(store, ring, &next) && !is_waiting(store)
        && !sniv_store_keys_read(&keys, store->key_file)) {
        len = sniv_ring_seal(&next, &keys, store->prefix, box);
        sniv_store_keys_wipe(&keys);
        if (len) {
            write_file(store, "ring.new",
                       apr_pstrcat(store->p, store->base, "\n", NULL), box,
                       len);
        }
    }
    OPENSSL_cleanse(&next, sizeof(next));
}
