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
 * Inside the certificate store. For its own files only.
 *
 *     certs.c     the first load
 *     install.c   what children do
 *     describe.c  entries in words
 *     items.c     files of entries, one by one; ids
 *     serving.c   an item's files -> the sealed memory; the name index
 *     chains.c    chains that entries share
 *     folders.c   folders, and what they take up
 *     renew.c     looking for changes
 *     marks.c     ... what is to be looked at without a round
 *     times.c     when: of entries, of their versions, of looks
 *     takeover.c  going on in the place of a process that was killed
 *
 * The store has three lives, and a struct for each: sniv_certs_t is what
 * children look at and never changes after the load; sniv_books_t is what
 * the writer (the parent, or a process that it has forked to be it) knows
 * about files; sniv_round_t is where its looking stands. A child has the
 * books of the fork and does not open them.
 *
 * Slots of the sealed memory:
 *
 *     0                    the name index
 *     1 .. nentries        entries: id + 1
 *     nentries + 1 ..      chains
 *     the last one         when there was a look
 *
 * The way of an id, so that a name never leads to another site's entry:
 *
 *     free -> its record is written -> the index that names it is written
 *          -> (the files are gone) its record is dropped
 *          -> an index without it is written -> a look later: free
 *
 * An item whose certificate gets other names gets another id: both records
 * are there until the index with the new one has been written.
 */

#include <apr_hash.h>
#include <apr_ring.h>
#include <apr_tables.h>

/* For the rings: that of APR 1.7.2 subtracts NULL, and clang warns */
#include <stddef.h>
#undef APR_OFFSETOF
#define APR_OFFSETOF(type, field) offsetof(type, field)

#include "certs/cache.h"
#include "certs/types.h"
#include "certs/reader.h"
#include "certs/sealed.h"
#include "certs/walk.h"

#define SNIV_SLOT_INDEX 0u
#define SNIV_SLOT_ENTRY(id) ((apr_uint32_t)(id) + 1)
#define SNIV_SLOT_LOOKS(certs) (1 + (certs)->nentries + (certs)->nchains)

/* Limits, so that a user that may write to one folder cannot take memory, ids
 * or time from the others. The manual has them, too. */
#define SNIV_NAMES_MAX 5000         /**< of a certificate in a folder */
#define SNIV_PAUSE_MAX apr_time_from_sec(500)   /**< of a folder */
#define SNIV_TOP_FILES 500000       /**< of a folder that is named */
#define SNIV_SHARE_FILES 50000      /**< of a folder directly in it */
#define SNIV_SHARE_FOLDERS 50000    /**< at all depths of it */
#define SNIV_GROWTH 4096            /**< new entries until a restart, and half
                                         as many as there are */
#define SNIV_SHARE_NAMES 100000     /**< new names of a folder in a folder */

/** What a folder that is named, or a folder directly in it, takes up. */
typedef struct sniv_share_t {
    apr_uint32_t files;
    apr_uint32_t folders;
    apr_uint32_t served;
    apr_uint64_t names;
    apr_uint64_t bytes;
    apr_uint32_t served_max;    /**< after the load */
    apr_uint64_t names_max;
    apr_uint64_t bytes_max;
    int is_told;                /**< that it is full */
    apr_uint32_t passed;        /**< files that are no part of an entry */
    char *passed_first;         /**< malloc()ed: the first of them */
} sniv_share_t;

typedef struct sniv_item_t sniv_item_t;
typedef struct sniv_folder_t sniv_folder_t;
typedef struct sniv_subject_t sniv_subject_t;

/** What folders and items have in common; the first member of both. */
struct sniv_subject_t {
    APR_RING_ENTRY(sniv_subject_t) marks;   /**< certs/marks.c */
    APR_RING_ENTRY(sniv_subject_t) unwatched;
    struct sniv_tie_t *ties;    /**< certs/watch.c: what concerns it */
    apr_time_t after;           /**< not to be looked at before */
    unsigned is_folder : 1;
    unsigned is_marked : 1;
    unsigned is_all : 1;        /**< a folder with all that is below it */
    unsigned is_unwatched : 1;
};

APR_RING_HEAD(sniv_subjects_t, sniv_subject_t);
typedef struct sniv_subjects_t sniv_subjects_t;
APR_RING_HEAD(sniv_news_t, sniv_item_t);

/** A folder; malloc()ed with its path. */
struct sniv_folder_t {
    sniv_subject_t subject;
    sniv_folder_t *parent;      /**< NULL: named by the configuration */
    sniv_walk_t walk;           /**< from the top */
    const char *path;
    sniv_scope_t scope;
    int depth;
    apr_uint32_t at;            /**< in the list of folders */
    sniv_folder_t *first_in;    /**< of those directly in it ... */
    sniv_folder_t *next, *prev; /**< ... in a list */
    sniv_item_t *first;
    apr_uint32_t nitems;        /**< directly in it */
    apr_uint32_t nfolders;      /**< ... and folders */
    sniv_share_t *share;        /**< the one of its top's sub-folder ... */
    sniv_share_t *top_share;    /**< ... and of its top; may be the same */
    sniv_share_t own_share;     /**< of a top and of folders in it */
    apr_uint32_t passed;        /**< files in it, see sniv_share_t */
    sniv_stamp_t stamp;         /**< when it was read */
    apr_time_t pause;           /**< not to be read again before */
    apr_interval_time_t took;   /**< how long that took the last time */
    apr_time_t due;             /**< to be read then, if not before; or 0 */
    apr_time_t pause_noted;     /**< nor for these */
    char **noted;               /**< names that are new, and NULL; malloc()ed
                                     like each of them */
    int nnoted;
    apr_uint64_t place[3];      /**< scope, device, inode: key in by_place */
    unsigned is_placed : 1;     /**< is in by_place */
    unsigned is_fresh : 1;      /**< changed about when it was read */
    unsigned is_alias : 1;      /**< another path to a folder that is there */
    unsigned is_deep : 1;       /**< not looked into, whatever happens */
    unsigned is_listed : 1;     /**< found when its parent was last read */
    int wd;                     /**< certs/watch.c; 0: none */
    apr_status_t problem;       /**< told */
    const char *reason;         /**< constant; or NULL: the status' */
    const char *key;            /**< scope and path */
};

/** A file, or a pair of files, of an entry. malloc()ed with its strings. */
struct sniv_item_t {
    sniv_subject_t subject;
    APR_RING_ENTRY(sniv_item_t) link;   /**< of news */
    sniv_cert_files_t files;
    const char **list;          /**< the different ones */
    int nlist;
    const char *key;            /**< scope and all paths */
    sniv_stamp_t *stamps;       /**< nlist: as last read */
    sniv_stamp_t *pending;      /**< nlist: seen once, differs; or NULL */
    sniv_scope_t scope;
    sniv_cert_id_t id;          /**< SNIV_CERT_NONE: nothing is served */
    sniv_folder_t *folder;      /**< where it was found, or NULL */
    sniv_item_t *next, *prev;   /**< of the same folder */
    apr_uint32_t at;            /**< in the list of items */
    apr_uint32_t waits_at;      /**< in the list of those waiting */
    apr_time_t waits_since;
    unsigned is_served : 1;     /**< its slot has something */
    unsigned is_listed : 1;     /**< found when its folder was last read */
    unsigned is_waiting : 1;    /**< among the pending ones */
    unsigned is_full : 1;       /**< found no room */
    unsigned news : 1;          /**< is served, but not said so */
    unsigned is_current : 1;    /**< ... and the index knows */
    unsigned was_served : 1;    /**< ... and was before */
    unsigned is_stapled : 1;    /**< see sniv_cert_files_t */
    apr_uint32_t freed;         /**< books.freed when it found no room */
    int gone;                   /**< looks that did not find it */
    char *problem;              /**< malloc()ed: what was reported last */
    const char *problem_file;
    unsigned flags;             /**< SNIV_CERT_* as last read */
    apr_uint64_t parameters;    /**< of what is served, see sniv_entry_t */
    apr_uint32_t nnames;        /**< in the index */
    apr_uint32_t name_bytes;
    apr_uint64_t names_hash;
    apr_uint64_t bytes;         /**< of its record and chains */
    apr_uint64_t wanted;        /**< ... of what found no room */
    apr_array_header_t *hosts;  /**< of named files, see sniv_cert_files_t */
    int nchains;                /**< chain slots that its record names */
    apr_uint32_t chains[SNIV_PAIRS_MAX];
};

/** A chain that entries share. */
typedef struct sniv_chain_t {
    apr_uint32_t slot;
    apr_uint64_t version;
    apr_uint32_t users;
} sniv_chain_t;

/** An id on its way out. */
typedef struct sniv_leaving_t {
    sniv_cert_id_t id;
    int has_record;             /**< until the next index is written */
    int is_out;                 /**< no index names it any more */
    int nchains;
    apr_uint32_t chains[SNIV_PAIRS_MAX];
} sniv_leaving_t;

typedef struct sniv_scope_dirs_t {
    const char *const *dirs;
    int ndirs;
    int level;                  /**< security level */
    sniv_trust_e trust;
} sniv_scope_dirs_t;

/** What the parent knows. */
typedef struct sniv_books_t {
    sniv_reader_t *reader;
    sniv_item_t **items;
    apr_uint32_t nitems, ritems;
    sniv_item_t **by_id;        /**< NULL: free, or on its way out */
    unsigned char *is_leaving;  /**< by id */
    apr_uint32_t nids, rids;    /**< before the load; then all nentries */
    sniv_cert_id_t free_hint;   /**< no free id below */
    sniv_leaving_t *leaving;
    apr_uint32_t nleaving, rleaving;
    sniv_folder_t **folders;
    apr_uint32_t nfolders, rfolders;
    sniv_scope_dirs_t *scopes;
    int nscopes;
    apr_hash_t *by_files;       /**< item's key -> item */
    apr_hash_t *by_path;        /**< folder's key -> folder */
    apr_hash_t *by_place;       /**< folder's place -> folder that has it */
    apr_hash_t *by_chain;       /**< bytes in the slot -> sniv_chain_t */
    sniv_chain_t *chains;       /**< by slot - nentries - 1 */
    apr_uint32_t free_chain;    /**< no free chain below */
    apr_uint64_t version;
    apr_uint32_t nserved, nused_chains;
    apr_uint32_t freed;         /**< how often something was withdrawn */
    int has_full;               /**< an item may be full */
    struct sniv_news_t news;    /**< items that have any */
    int is_place_free;          /**< of a folder that another path leads to */
    int is_index_old;
    sniv_certs_report_fn *report;   /**< for the time of a call */
    void *baton;
} sniv_books_t;

/** Whether two lists of folders are the same in all that counts. */
int sniv_scope_equal(const sniv_scope_dirs_t *a, const sniv_scope_dirs_t *b);

/** Where a round of looking stands. */
typedef enum {
    SNIV_ROUND_IDLE, SNIV_ROUND_FOLDERS, SNIV_ROUND_ITEMS
} sniv_round_e;

typedef struct sniv_round_t {
    sniv_round_e phase;
    apr_uint32_t cursor;
    apr_time_t start;           /**< of the last one */
    apr_uint32_t unsettled;     /**< what it leaves to the next one */
    apr_uint32_t freed;         /**< books.freed when all were tried */
    sniv_item_t **waiting;      /**< items that have something pending */
    apr_uint32_t nwaiting, rwaiting;
    sniv_subjects_t marked;     /**< see certs/marks.c */
    sniv_subjects_t later;
    sniv_subjects_t unwatched;
    int is_index_told;
    sniv_certs_looks_t looks;   /**< as last noted */
} sniv_round_t;

struct sniv_certs_t {
    apr_pool_t *p;
    sniv_shm_t *shm;            /**< NULL until loaded */
    sniv_cache_t *cache;
    apr_uint32_t nentries;      /**< slots for entries */
    apr_uint32_t nchains;       /**< slots for chains */
    int is_dry;                 /**< no keys are kept */
    const sniv_bequest_t *bequest;  /**< see sniv_certs_inherit() */
    int is_loaded;              /**< shares have their limits */
    int nevicted;               /**< while loading, for smaller ones */
    apr_pool_t *ptemp;          /**< the parent's, cleared after each call */
    sniv_books_t books;
    sniv_round_t round;
};

/* certs/install.c */

/**
 * The record of an entry, to be wiped and freed.
 */
apr_status_t sniv_entry_get(const sniv_certs_t *certs, sniv_cert_id_t id,
                            unsigned char **pbytes, apr_size_t *len,
                            sniv_entry_t *entry, apr_uint64_t *version);

/** For the cache. */
apr_status_t sniv_entry_decode(void *baton, apr_int32_t id, int leaf_only,
                               sniv_live_t *live, const char **preason);

/* certs/items.c */

/**
 * Make an item, or find the one that there is.
 * @param folder where it was found, or NULL: it gets an id at once
 * @return NULL if there is no memory or no free id
 */
sniv_item_t *sniv_item_add(sniv_certs_t *certs, sniv_scope_t scope,
                           sniv_folder_t *folder,
                           const sniv_cert_files_t *files, int *is_new);

/** Take away what an item serves and forget it. */
void sniv_item_remove(sniv_certs_t *certs, sniv_item_t *item);

/** Put an item on the list of those that the next look settles. */
void sniv_item_wait(sniv_certs_t *certs, sniv_item_t *item,
                    const sniv_stamp_t *stamps);
void sniv_item_stop_waiting(sniv_certs_t *certs, sniv_item_t *item);

/** Remember what is wrong. @return 1 if that is news, 0 if it was known */
int sniv_item_problem(sniv_item_t *item, const char *file,
                      const char *reason);

/** Take a free id. @return 0 if there is none */
int sniv_id_take(sniv_certs_t *certs, sniv_item_t *item);

/** Give an id back under which nothing was served. */
void sniv_id_return(sniv_certs_t *certs, sniv_item_t *item);

/**
 * Give an id back, on the way that it has to take. With has_record what its
 * slot holds, with these chains, is served until the next index.
 */
void sniv_id_leave(sniv_certs_t *certs, sniv_item_t *item, int has_record);

/** An index without the ids that leave has been written. */
void sniv_ids_out(sniv_certs_t *certs);

/** A look later: those are free. */
void sniv_ids_free(sniv_certs_t *certs);

/** A new writer: no item of a folder has an id, all are free. @return 0 if
 * there is no memory */
int sniv_ids_restart(sniv_certs_t *certs);

void sniv_books_report(sniv_certs_t *certs, sniv_certs_event_e event,
                       sniv_cert_id_t id, const char *file,
                       const char *reason);

/* certs/marks.c */

void sniv_marks_init(sniv_certs_t *certs);

/** One that is new: it is not watched. */
void sniv_subject_init(sniv_certs_t *certs, sniv_subject_t *subject,
                       int is_folder);

/** One that is forgotten. */
void sniv_subject_leave(sniv_subject_t *subject);

/** Look at a folder or an item with the next look, without a round. */
void sniv_mark(sniv_certs_t *certs, sniv_subject_t *subject);

/** ... at a folder and all that is below it. */
void sniv_mark_all(sniv_certs_t *certs, sniv_folder_t *folder);

/** ... not before a time. */
void sniv_mark_later(sniv_certs_t *certs, sniv_subject_t *subject,
                     apr_time_t when);

/** Those whose time has come: how many are left for later does not matter. */
void sniv_marks_due(sniv_certs_t *certs, apr_time_t now);

/** Take the one that has been marked for the longest time. @return NULL: no
 * more */
sniv_subject_t *sniv_marks_take(sniv_certs_t *certs);

/** What concerns it may be otherwise now: watch it anew. */
void sniv_watch_anew(sniv_certs_t *certs, sniv_subject_t *subject);

/** ... and all that is directly in a folder. */
void sniv_watch_anew_in(sniv_certs_t *certs, sniv_folder_t *folder);

/* certs/watch.c */

/** It is not watched any more. */
void sniv_watch_forget(sniv_subject_t *subject);

/* certs/times.c */

/** The next version; see sniv_cert_info_t. */
apr_uint64_t sniv_version_next(sniv_certs_t *certs);

/** Note in the sealed memory that this process looks, and whether it is in a
 * round. */
void sniv_looks_note(sniv_certs_t *certs, int is_in_round);

/* certs/chains.c */

/** The chain record of a pair: the one that there is, or a new one. */
apr_status_t sniv_chain_take(sniv_certs_t *certs, sniv_pair_t *pair);
void sniv_chains_give(sniv_certs_t *certs, const apr_uint32_t *slots, int n);

/** A new writer: which chains there are is not known ... */
void sniv_chains_restart(sniv_certs_t *certs);
/** ... a record names this one ... @return 0 if it is not there */
int sniv_chain_adopt(sniv_certs_t *certs, apr_uint32_t slot,
                     apr_uint64_t version);
/** ... and the rest is free. */
void sniv_chains_sweep(sniv_certs_t *certs);

/* certs/serving.c */

/** An item serves the record that is in the slot of an id. @return 0 if the
 * record's chains are not there */
int sniv_item_attach(sniv_certs_t *certs, sniv_item_t *item,
                     sniv_cert_id_t id, const sniv_entry_t *entry);

/** Let a record go that belongs to no item. @param entry NULL: unreadable */
void sniv_record_leave(sniv_certs_t *certs, sniv_cert_id_t id,
                       const sniv_entry_t *entry);

/** There is nothing to say of an item any more. */
void sniv_item_no_news(sniv_item_t *item);

/** Take away what an item serves. */
void sniv_item_withdraw(sniv_certs_t *certs, sniv_item_t *item);

/** What came of reading an item. */
typedef enum {
    SNIV_ITEM_BAD,              /**< see pfile and preason */
    SNIV_ITEM_SAME,             /**< nothing new in the files */
    SNIV_ITEM_NEW,              /**< is served as soon as the index is */
    SNIV_ITEM_FULL              /**< no room: see preason */
} sniv_item_e;

typedef const char *sniv_accept_fn(const sniv_item_t *item,
                                   const sniv_entry_t *was,
                                   const sniv_entry_t *is, void *baton);

/**
 * Read the files of an item and serve what they hold.
 * @param accept asked before the switch; returns NULL or why not; may be
 *        NULL
 */
sniv_item_e sniv_item_read(sniv_certs_t *certs, sniv_item_t *item,
                           unsigned flags, sniv_accept_fn *accept,
                           void *baton, const char **pfile,
                           const char **preason);

/** The entry that an item serves, in the sealed memory. @return 0: none */
int sniv_item_entry(const sniv_certs_t *certs, const sniv_item_t *item,
                    sniv_entry_t *entry);

/** What is reported if it cannot be. */
extern const char sniv_no_index[];

/**
 * Write the name index anew if it is old, or only the dates of what has been
 * renewed. Of what does not fit the items with the most names are left out,
 * and reported.
 */
apr_status_t sniv_books_index(sniv_certs_t *certs);

/** Whether the first certificate of an entry is self-signed. */
int sniv_entry_is_self_issued(const sniv_entry_t *entry);

/**
 * Whether dates and strength of an entry call for a word.
 * @param text room for the phrase
 */
int sniv_entry_doubt(const sniv_entry_t *entry, apr_time_t now, char *text,
                     apr_size_t room);

/** Write a record into a slot, if it is not the one that is there. */
apr_status_t sniv_record_put(sniv_certs_t *certs, sniv_cert_id_t id,
                             const sniv_entry_t *entry, int *is_same);

/** Write the index of records that no item has: of a store that has inherited
 * them. */
apr_status_t sniv_records_index(sniv_certs_t *certs);

/* certs/inherit.c */

/** How many records a store may inherit. */
apr_uint32_t sniv_bequest_count(const sniv_bequest_t *bequest);

/**
 * Take the records of folders from the store before, under ids above those
 * that are taken, and write the index.
 */
void sniv_records_inherit(sniv_certs_t *certs);

/* certs/certs.c */

/** Read the files of all folders, as the load does; what cannot be read stays
 * as it is. Then shares have their limits. */
void sniv_items_catch_up(sniv_certs_t *certs);

/* certs/folders.c */

/** Add the folders that are named, if there are none. */
void sniv_folders_begin(sniv_certs_t *certs);

/**
 * A folder to look into. Another path to one that is there already, by a
 * link, is reported and not looked into.
 */
void sniv_folder_add(sniv_certs_t *certs, sniv_scope_t scope,
                     const char *path, sniv_folder_t *parent);

/** Forget a folder that has no items and no folders. */
void sniv_folder_remove(sniv_certs_t *certs, sniv_folder_t *folder);

/**
 * Note where a folder is now, by its stamp: it may have been replaced, or the
 * one that it was another path to may be gone. Sets is_alias.
 */
void sniv_folder_place(sniv_certs_t *certs, sniv_folder_t *folder,
                       const sniv_stamp_t *stamp);

/**
 * Read a folder: add items that are new, mark the others as listed or not,
 * add folders in it. Reports what is wrong with the folder.
 * @param added called for each new item; may be NULL
 */
void sniv_folder_read(sniv_certs_t *certs, sniv_folder_t *folder,
                      apr_time_t now,
                      void (*added)(sniv_certs_t *certs, sniv_item_t *item),
                      apr_pool_t *ptemp);

/** Remember a name that is new in a large folder. */
void sniv_folder_note(sniv_folder_t *folder, const char *name);

/**
 * Look for the names that were noted, and for nothing else in the folder: it
 * takes a fraction of the time. The folder still has to be read.
 */
void sniv_folder_read_noted(sniv_certs_t *certs, sniv_folder_t *folder,
                            void (*added)(sniv_certs_t *certs,
                                          sniv_item_t *item),
                            apr_pool_t *ptemp);

/** Count what an item takes up, or no longer does. */
void sniv_share_add(const sniv_item_t *item);
void sniv_share_remove(const sniv_item_t *item);

/**
 * Whether there is room in the shares of an item for an entry.
 * @return NULL, or why not
 */
const char *sniv_share_refuses(const sniv_item_t *item, apr_uint32_t nnames,
                               apr_uint64_t bytes);

/** After the load: from now on each share may grow so far. */
void sniv_shares_limit(sniv_certs_t *certs);

#endif /* SNIVHOST_CERTS_INSIDE_H */
