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

#ifndef SNIVHOST_CERTS_INSIDE_H
#define SNIVHOST_CERTS_INSIDE_H

/**
 * @file certs/inside.h
 * Inside the certificate store: what certs/certs.c (everything that children
 * do, and the first load), certs/items.c (what the parent knows about files)
 * and certs/renew.c (looking for changes) share. For nobody else.
 *
 * Slots of the sealed memory:
 *
 *     0                    the name index
 *     1 .. nentries        entries: id + 1
 *     nentries + 1 ..      chains
 *
 * Items, folders and chains are the parent's. A child has the state of the
 * fork and does not look at it.
 */

#include <apr_hash.h>

#include "certs/cache.h"
#include "certs/certs.h"
#include "certs/reader.h"
#include "certs/sealed.h"

#define SNIV_SLOT_INDEX 0u
#define SNIV_SLOT_ENTRY(id) ((apr_uint32_t)(id) + 1)

/** A file, or a pair of files, of an entry. malloc()ed with its strings. */
typedef struct sniv_item_t {
    sniv_cert_files_t files;
    const char **list;          /**< the different ones */
    int nlist;
    const char *key;            /**< scope and all paths */
    sniv_stamp_t *stamps;       /**< nlist: as last read */
    sniv_stamp_t *pending;      /**< nlist: seen once, differs; or NULL */
    sniv_scope_t scope;
    sniv_cert_id_t id;
    int folder;                 /**< where it was found, or -1 */
    sniv_cert_id_t next, prev;  /**< of the same folder, or SNIV_CERT_NONE */
    unsigned is_served : 1;     /**< its slot has something */
    unsigned is_listed : 1;     /**< found when its folder was last read */
    unsigned is_waiting : 1;    /**< among the pending ones */
    int gone;                   /**< looks that did not find it */
    char *problem;              /**< malloc()ed: what was told last */
    const char *problem_file;
    unsigned flags;             /**< SNIV_CERT_* as last read */
    int nchains;                /**< chain slots that its record names */
    apr_uint32_t chains[SNIV_PAIRS_MAX];
} sniv_item_t;

/** A folder; from the store's pool. */
typedef struct sniv_folder_t {
    const char *path;
    int number;
    sniv_scope_t scope;
    int depth;
    int top;                    /**< the folder named by the configuration */
    sniv_stamp_t stamp;         /**< when it was read */
    int is_fresh;               /**< changed at about the time it was read */
    int is_alias;               /**< another path to a folder that is there */
    int is_deep;                /**< not looked into, whatever happens */
    sniv_cert_id_t first;       /**< item, or SNIV_CERT_NONE */
    apr_status_t problem;       /**< told */
} sniv_folder_t;

/** A chain that entries share. */
typedef struct sniv_chain_t {
    apr_uint32_t slot;
    apr_uint64_t version;
    int users;
} sniv_chain_t;

typedef struct sniv_scope_dirs_t {
    const char *const *dirs;
    int ndirs;
    int level;                  /**< security level */
} sniv_scope_dirs_t;

/** Where a round of looking stands. */
typedef enum {
    SNIV_LOOK_IDLE, SNIV_LOOK_FOLDERS, SNIV_LOOK_ITEMS
} sniv_look_e;

struct sniv_certs_t {
    apr_pool_t *p;
    sniv_shm_t *shm;            /**< NULL until loaded */
    sniv_cache_t *cache;
    apr_uint32_t nentries;      /**< slots for entries */
    apr_uint32_t nchains;       /**< slots for chains */
    int is_dry;                 /**< no keys are kept */

    /* the parent's */
    sniv_reader_t *reader;
    sniv_item_t **items;        /**< by id; NULL: a free id */
    apr_uint32_t nitems, ritems;
    sniv_cert_id_t free_hint;   /**< no free id below */
    sniv_folder_t **folders;
    int nfolders, rfolders;
    sniv_scope_dirs_t *scopes;
    int nscopes;
    apr_hash_t *by_files;       /**< item's key -> item */
    apr_hash_t *by_path;        /**< folder's key -> folder */
    apr_hash_t *by_inode;       /**< folder's place -> folder that had it */
    apr_hash_t *by_chain;       /**< bytes in the slot -> sniv_chain_t */
    sniv_chain_t *chains;       /**< by slot - nentries - 1 */
    apr_uint32_t free_chain;    /**< no free chain below */
    apr_uint64_t version;
    apr_uint32_t nserved, nused_chains;
    int is_index_old;
    sniv_certs_report_fn *report;   /**< for the time of a call */
    void *baton;

    /* looking */
    apr_pool_t *look_pool;
    sniv_look_e phase;
    apr_uint32_t cursor;
    apr_time_t round;           /**< the last one began */
    sniv_cert_id_t *waiting;    /**< items that have something pending */
    apr_uint32_t nwaiting, rwaiting;
    int is_full_told;
};

/* certs/items.c */

/**
 * Make an item, or find the one that there is.
 * @return NULL if there is no memory or no free id
 */
sniv_item_t *sniv_item_add(sniv_certs_t *certs, sniv_scope_t scope,
                           int folder, const sniv_cert_files_t *files,
                           int *is_new);

/** Take away what an item serves and forget it. */
void sniv_item_remove(sniv_certs_t *certs, sniv_item_t *item);

/** Take away what an item serves. */
void sniv_item_withdraw(sniv_certs_t *certs, sniv_item_t *item);

/** What came of reading an item. */
typedef enum {
    SNIV_ITEM_BAD,              /**< see pfile and preason */
    SNIV_ITEM_SAME,             /**< nothing new in the files */
    SNIV_ITEM_NEW,              /**< is served now */
    SNIV_ITEM_FULL              /**< no room */
} sniv_item_e;

/**
 * Read the files of an item and serve what they hold.
 * @param accept asked before the switch; returns NULL or why not; may be
 *        NULL
 */
sniv_item_e sniv_item_read(sniv_certs_t *certs, sniv_item_t *item,
                           unsigned flags,
                           const char *(*accept)(const sniv_item_t *item,
                                                 const sniv_entry_t *was,
                                                 const sniv_entry_t *is,
                                                 void *baton), void *baton,
                           const char **pfile, const char **preason);

/** The entry that an item serves, in the sealed memory. @return 0: none */
int sniv_item_entry(const sniv_certs_t *certs, const sniv_item_t *item,
                    sniv_entry_t *entry);

/** Remember what is wrong. @return 1 if that is news, 0 if it was known */
int sniv_item_problem(sniv_item_t *item, const char *file,
                      const char *reason);

/**
 * A folder to look into. Another path to one that is there already, by a
 * link, is told of and not looked into.
 */
void sniv_folder_add(sniv_certs_t *certs, sniv_scope_t scope,
                     const char *path, int depth, int top);

/**
 * Note where a folder is now, by its stamp: it may have been replaced, or the
 * one that it was another path to may be gone. Sets is_alias.
 */
void sniv_folder_place(sniv_certs_t *certs, sniv_folder_t *folder,
                       const sniv_stamp_t *stamp);

/**
 * Read a folder: add items that are new, mark the others as listed or not,
 * add folders in it.
 * @param added called for each new item; may be NULL
 */
apr_status_t sniv_folder_read(sniv_certs_t *certs, int number, apr_time_t now,
                              void (*added)(sniv_certs_t *certs,
                                            sniv_item_t *item),
                              apr_pool_t *ptemp);

/** Write the name index anew if it is old. */
apr_status_t sniv_store_index(sniv_certs_t *certs);

void sniv_store_report(sniv_certs_t *certs, sniv_certs_event_e event,
                       sniv_cert_id_t id, const char *file,
                       const char *reason);

/**
 * Whether dates and strength of an entry call for a word.
 * @param text room for the phrase
 */
int sniv_entry_doubt(const sniv_entry_t *entry, apr_time_t now, char *text,
                     apr_size_t room);

#endif /* SNIVHOST_CERTS_INSIDE_H */
