/* roster.c -- entries of keys lie in chunks and never move; the index leads from a key's tag to the
 * number of its entry. An entry is written before its number is put into the index and is left
 * alone until it is freed, so readers need nothing but acquire and release. What is removed waits
 * in a queue with the number of the turn that every worker must have passed: `epoch` is raised by
 * the writer, and each worker notes at the end of its turn which one it saw. */
#include "roster/roster.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/rand.h"
#include "roster/index.h"
#include "roster/key.h"

enum { CHUNK = 1024 };

static const uint32_t NOBODY = UINT32_MAX;

/* One key. The first line is what a look-up reads; from `mark` on it is the writer's. */
struct entry {
        struct hash128 tag;
        uint8_t mac[SEAL_MAC_SIZE];
        int64_t expires_s;
        uint32_t owner; /* number of the consumer; NOBODY: free, `next` is the next free one */
        uint8_t id_len, display_len, origin, unused;
        char text[ROSTER_TEXT_MAX];
        uint32_t mark, next, prev; /* keys of the same consumer */
};

static_assert(sizeof(struct entry) == 2 * CACHE_LINE, "a key is two cache lines");

/* One consumer, in one piece with its texts. */
struct body {
        struct consumer consumer;
        size_t size;
        struct hash128 hash; /* of its name */
};

/* What the writer knows of a consumer's number. */
struct owner {
        _Atomic(struct body *) body; /* NULL: none */
        uint32_t first;              /* of its keys */
        uint32_t mark;
        uint32_t next_free;
};

enum waste_kind { WASTE_ENTRY, WASTE_OWNER, WASTE_BODY, WASTE_SHARD };

struct waste {
        uint64_t epoch;
        void *memory;
        uint32_t number;
        enum waste_kind kind;
};

struct seen {
        _Atomic(uint64_t) epoch;
} aligned(CACHE_LINE);

struct roster {
        struct seal_secret secret;
        struct hash_key name_key;
        struct index *keys, *names;
        struct entry **entries; /* chunks */
        struct owner **owners;
        uint32_t entry_count, entry_free;
        uint32_t owner_count, owner_free;
        size_t key_count, consumer_count, bytes;
        uint32_t marks[ROSTER_ORIGINS]; /* of what was put since the last roster_mark */
        struct waste *wastes;           /* a ring, oldest first */
        size_t waste_from, waste_count, waste_cap;
        _Atomic(uint64_t) epoch;
        unsigned workers;
        struct seen *seen;
};

/* ---- memory ---- */

static void *take_or_die(size_t count, size_t size)
{
        void *memory = calloc(count, size);
        if (memory == NULL)
                panic("out of memory: %zu pieces of %zu bytes", count, size);
        return memory;
}

static struct entry *entry_at(const struct roster *roster, uint32_t number)
{
        return &roster->entries[number / CHUNK][number % CHUNK];
}

static struct owner *owner_at(const struct roster *roster, uint32_t number)
{
        return &roster->owners[number / CHUNK][number % CHUNK];
}

/* A number that nobody uses; NOBODY when there is no room. */
static uint32_t entry_take(struct roster *roster)
{
        uint32_t number = roster->entry_free;
        if (number != NOBODY) {
                roster->entry_free = entry_at(roster, number)->next;
                return number;
        }
        if (roster->entry_count == ROSTER_KEYS_MAX)
                return NOBODY;
        number = roster->entry_count;
        if (number % CHUNK == 0) {
                struct entry *chunk = aligned_alloc(CACHE_LINE, CHUNK * sizeof *chunk);
                if (chunk == NULL)
                        return NOBODY;
                roster->entries[number / CHUNK] = chunk;
                roster->bytes += CHUNK * sizeof *chunk;
        }
        roster->entry_count++;
        return number;
}

static void entry_drop(struct roster *roster, uint32_t number)
{
        struct entry *entry = entry_at(roster, number);
        OPENSSL_cleanse(entry, sizeof *entry);
        entry->owner = NOBODY;
        entry->next = roster->entry_free;
        roster->entry_free = number;
}

static uint32_t owner_take(struct roster *roster)
{
        uint32_t number = roster->owner_free;
        if (number != NOBODY) {
                roster->owner_free = owner_at(roster, number)->next_free;
                return number;
        }
        if (roster->owner_count == ROSTER_CONSUMERS_MAX)
                return NOBODY;
        number = roster->owner_count;
        if (number % CHUNK == 0) {
                struct owner *chunk = calloc(CHUNK, sizeof *chunk);
                if (chunk == NULL)
                        return NOBODY;
                roster->owners[number / CHUNK] = chunk;
                roster->bytes += CHUNK * sizeof *chunk;
        }
        roster->owner_count++;
        return number;
}

static void owner_drop(struct roster *roster, uint32_t number)
{
        owner_at(roster, number)->next_free = roster->owner_free;
        roster->owner_free = number;
}

static void body_free(struct roster *roster, struct body *body)
{
        roster->bytes -= body->size;
        free(body);
}

/* ---- waste ---- */

static void throw_away(struct roster *roster, enum waste_kind kind, uint32_t number, void *memory)
{
        if (roster->waste_count == roster->waste_cap) {
                size_t cap = roster->waste_cap == 0 ? 64 : roster->waste_cap * 2;
                struct waste *wastes = take_or_die(cap, sizeof *wastes);
                for (size_t i = 0; i < roster->waste_count; i++)
                        wastes[i] = roster->wastes[(roster->waste_from + i) % roster->waste_cap];
                free(roster->wastes);
                roster->wastes = wastes;
                roster->waste_from = 0;
                roster->waste_cap = cap;
        }
        uint64_t epoch = atomic_load_explicit(&roster->epoch, memory_order_relaxed);
        roster->wastes[(roster->waste_from + roster->waste_count++) % roster->waste_cap] =
                (struct waste){epoch, memory, number, kind};
}

/* Before a change: so that what lies about stays little even where nobody collects. */
static void tidy_up(struct roster *roster)
{
        enum { ENOUGH = 1024 };
        if (roster->waste_count >= ENOUGH)
                roster_collect(roster);
}

static void shard_thrown_away(void *arg, void *memory)
{
        throw_away(arg, WASTE_SHARD, 0, memory);
}

static void waste_free(struct roster *roster, const struct waste *waste)
{
        switch (waste->kind) {
        case WASTE_ENTRY:
                entry_drop(roster, waste->number);
                return;
        case WASTE_OWNER:
                owner_drop(roster, waste->number);
                return;
        case WASTE_BODY:
                body_free(roster, waste->memory);
                return;
        case WASTE_SHARD:
                index_free_old(waste->memory);
                return;
        }
}

/* Frees what was thrown away before the epoch that all have seen began. */
static void free_before(struct roster *roster, uint64_t epoch)
{
        while (roster->waste_count > 0 && roster->wastes[roster->waste_from].epoch < epoch) {
                struct waste waste = roster->wastes[roster->waste_from];
                roster->waste_from = (roster->waste_from + 1) % roster->waste_cap;
                roster->waste_count--;
                waste_free(roster, &waste);
        }
}

void roster_collect(struct roster *roster)
{
        if (roster->waste_count == 0)
                return;
        uint64_t seen = UINT64_MAX;
        for (unsigned i = 0; i < roster->workers; i++)
                seen = u64_min(seen,
                               atomic_load_explicit(&roster->seen[i].epoch, memory_order_acquire));
        free_before(roster, seen);
        /* Whoever sees the next one can see nothing of what lies here. */
        if (roster->waste_count > 0)
                atomic_fetch_add_explicit(&roster->epoch, 1, memory_order_release);
}

void roster_turn(struct roster *roster, unsigned worker)
{
        struct seen *seen = &roster->seen[worker];
        uint64_t epoch = atomic_load_explicit(&roster->epoch, memory_order_acquire);
        if (unlikely(epoch != atomic_load_explicit(&seen->epoch, memory_order_relaxed)))
                atomic_store_explicit(&seen->epoch, epoch, memory_order_release);
}

void roster_leave(struct roster *roster, unsigned worker)
{
        atomic_store_explicit(&roster->seen[worker].epoch, UINT64_MAX, memory_order_release);
}

/* ---- birth and death ---- */

struct roster *roster_make(const struct seal_secret *secret, unsigned workers)
{
        struct roster *roster = take_or_die(1, sizeof *roster);
        roster->secret = *secret;
        rand_bytes(&roster->name_key, sizeof roster->name_key);
        roster->keys = index_make(shard_thrown_away, roster);
        roster->names = index_make(shard_thrown_away, roster);
        roster->entries = take_or_die(ROSTER_KEYS_MAX / CHUNK, sizeof *roster->entries);
        roster->owners = take_or_die(ROSTER_CONSUMERS_MAX / CHUNK, sizeof *roster->owners);
        roster->entry_free = roster->owner_free = NOBODY;
        roster->workers = workers;
        atomic_store_explicit(&roster->epoch, 1, memory_order_relaxed);
        roster->seen = aligned_alloc(CACHE_LINE, (workers + 1) * sizeof *roster->seen);
        CHECK(roster->seen != NULL);
        for (unsigned i = 0; i < workers; i++)
                atomic_init(&roster->seen[i].epoch, 0);
        return roster;
}

void roster_free(struct roster *roster)
{
        free_before(roster, UINT64_MAX);
        for (uint32_t i = 0; i < roster->owner_count; i++)
                free(atomic_load_explicit(&owner_at(roster, i)->body, memory_order_relaxed));
        for (uint32_t i = 0; i < roster->owner_count; i += CHUNK)
                free(roster->owners[i / CHUNK]);
        for (uint32_t i = 0; i < roster->entry_count; i += CHUNK) {
                OPENSSL_cleanse(roster->entries[i / CHUNK], CHUNK * sizeof(struct entry));
                free(roster->entries[i / CHUNK]);
        }
        index_free(roster->keys);
        index_free(roster->names);
        free(roster->entries);
        free(roster->owners);
        free(roster->wastes);
        free(roster->seen);
        seal_secret_fini(&roster->secret);
        free(roster);
}

struct roster_counts roster_counts(const struct roster *roster)
{
        return (struct roster_counts){.keys = roster->key_count,
                                      .consumers = roster->consumer_count,
                                      .waiting = roster->waste_count,
                                      .bytes = roster->bytes + index_bytes(roster->keys) +
                                               index_bytes(roster->names) +
                                               roster->waste_cap * sizeof *roster->wastes};
}

/* ---- finding ---- */

static uint32_t find_entry(const struct roster *roster, struct hash128 tag)
{
        struct index_walk walk = index_begin(roster->keys, tag);
        uint32_t number;
        while (index_next(&walk, &number)) {
                const struct entry *entry = entry_at(roster, number);
                if (entry->tag.lo == tag.lo && entry->tag.hi == tag.hi)
                        return number;
        }
        return NOBODY;
}

/* Asks for the memory of the entry, so that it comes while the seal is worked out. */
static void fetch_entry(const struct roster *roster, struct hash128 tag)
{
        struct index_walk walk = index_begin(roster->keys, tag);
        uint32_t number;
        if (index_next(&walk, &number)) {
                prefetch(entry_at(roster, number));
                prefetch((const char *)entry_at(roster, number) + CACHE_LINE);
        }
}

static struct hash128 name_hash(const struct roster *roster, struct str name)
{
        return hash_siphash24_128(&roster->name_key, name.ptr, name.len);
}

static struct body *body_of(const struct roster *roster, uint32_t owner)
{
        return atomic_load_explicit(&owner_at(roster, owner)->body, memory_order_acquire);
}

static uint32_t find_owner(const struct roster *roster, struct str name)
{
        struct index_walk walk = index_begin(roster->names, name_hash(roster, name));
        uint32_t number;
        while (index_next(&walk, &number)) {
                const struct body *body = body_of(roster, number);
                if (body != NULL && str_eq(body->consumer.name, name))
                        return number;
        }
        return NOBODY;
}

const struct consumer *roster_consumer(const struct roster *roster, struct str name)
{
        uint32_t owner = find_owner(roster, name);
        const struct body *body = owner == NOBODY ? NULL : body_of(roster, owner);
        return body == NULL ? NULL : &body->consumer;
}

enum roster_answer roster_find(const struct roster *roster, struct str key, int64_t now_s,
                               struct credential *ret_credential)
{
        static const uint8_t nothing[SEAL_MAC_SIZE];
        uint8_t mac[SEAL_MAC_SIZE];
        if (key.len == 0 || key.len > KEY_SIZE_MAX)
                return ROSTER_UNKNOWN;
        struct hash128 tag = seal_tag(&roster->secret, key);
        fetch_entry(roster, tag);
        seal_mac(&roster->secret, key, mac);
        uint32_t number = find_entry(roster, tag);
        const struct entry *entry = number == NOBODY ? NULL : entry_at(roster, number);
        int differs = CRYPTO_memcmp(mac, entry == NULL ? nothing : entry->mac, sizeof mac);
        if (entry == NULL || differs != 0)
                return ROSTER_UNKNOWN;
        const struct body *body = body_of(roster, entry->owner);
        if (body == NULL)
                return ROSTER_UNKNOWN;
        *ret_credential = (struct credential){
                .consumer = &body->consumer,
                .id = {entry->text, entry->id_len},
                .display = {entry->text + entry->id_len, entry->display_len},
                .expires_s = entry->expires_s};
        if (entry->expires_s != 0 && entry->expires_s <= now_s)
                return ROSTER_EXPIRED;
        return body->consumer.is_blocked ? ROSTER_BLOCKED : ROSTER_KNOWN;
}

/* ---- changing consumers ---- */

static struct str put_text(char **at, struct str text)
{
        char *to = *at;
        if (text.len > 0)
                memcpy(to, text.ptr, text.len);
        *at += text.len;
        return (struct str){to, text.len};
}

/* A copy in one piece, NULL when there is no memory. */
static struct body *body_make(struct roster *roster, const struct consumer *from)
{
        size_t size = sizeof(struct body) + from->tag_count * sizeof(struct str) + from->name.len +
                      from->tier.len + from->channel.len;
        for (unsigned i = 0; i < from->tag_count; i++)
                size += from->tags[i].len;
        struct body *body = calloc(1, size);
        if (body == NULL)
                return NULL;
        roster->bytes += size;
        struct str *tags = (struct str *)(void *)(body + 1);
        char *at = (char *)(tags + from->tag_count);
        body->size = size;
        body->hash = name_hash(roster, from->name);
        body->consumer = *from;
        body->consumer.name = put_text(&at, from->name);
        body->consumer.tier = put_text(&at, from->tier);
        body->consumer.channel = put_text(&at, from->channel);
        body->consumer.tags = tags;
        for (unsigned i = 0; i < from->tag_count; i++)
                tags[i] = put_text(&at, from->tags[i]);
        return body;
}

static bool is_left_over(const struct roster *roster, uint32_t mark, uint8_t origin)
{
        return mark != roster->marks[origin];
}

static enum err add_consumer(struct roster *roster, struct body *body)
{
        uint32_t number = owner_take(roster);
        if (number == NOBODY)
                return ERR_limit;
        struct owner *owner = owner_at(roster, number);
        owner->first = NOBODY;
        owner->mark = roster->marks[body->consumer.origin];
        atomic_store_explicit(&owner->body, body, memory_order_release);
        enum err err = index_put(roster->names, body->hash, number);
        if (err != ERR_ok) {
                atomic_store_explicit(&owner->body, NULL, memory_order_relaxed);
                owner_drop(roster, number);
                return err;
        }
        roster->consumer_count++;
        return ERR_ok;
}

enum err roster_put_consumer(struct roster *roster, const struct consumer *consumer)
{
        enum { NAME_MAX_BYTES = 256 };
        if (consumer->name.len == 0 || consumer->name.len > NAME_MAX_BYTES ||
            consumer->tag_count > ROSTER_TAGS_MAX)
                return ERR_range;
        tidy_up(roster);
        uint32_t number = find_owner(roster, consumer->name);
        if (number != NOBODY && body_of(roster, number)->consumer.origin > consumer->origin)
                return ERR_ok;
        struct body *body = body_make(roster, consumer);
        if (body == NULL)
                return ERR_memory;
        if (number == NOBODY) {
                enum err err = add_consumer(roster, body);
                if (err != ERR_ok)
                        body_free(roster, body);
                return err;
        }
        struct owner *owner = owner_at(roster, number);
        struct body *old = body_of(roster, number);
        owner->mark = roster->marks[consumer->origin];
        atomic_store_explicit(&owner->body, body, memory_order_release);
        throw_away(roster, WASTE_BODY, 0, old);
        return ERR_ok;
}

static void remove_entry(struct roster *roster, uint32_t number)
{
        struct entry *entry = entry_at(roster, number);
        if (entry->prev == NOBODY)
                owner_at(roster, entry->owner)->first = entry->next;
        else
                entry_at(roster, entry->prev)->next = entry->next;
        if (entry->next != NOBODY)
                entry_at(roster, entry->next)->prev = entry->prev;
        index_remove(roster->keys, entry->tag, number);
        throw_away(roster, WASTE_ENTRY, number, NULL);
        roster->key_count--;
}

/* Its number is not used again before all its keys and all who may see it are gone, so that no key
 * of the old one ever belongs to a new one. */
static void remove_owner(struct roster *roster, uint32_t number)
{
        struct owner *owner = owner_at(roster, number);
        struct body *body = body_of(roster, number);
        while (owner->first != NOBODY)
                remove_entry(roster, owner->first);
        index_remove(roster->names, body->hash, number);
        atomic_store_explicit(&owner->body, NULL, memory_order_release);
        throw_away(roster, WASTE_BODY, 0, body);
        throw_away(roster, WASTE_OWNER, number, NULL);
        roster->consumer_count--;
}

enum err roster_remove_consumer(struct roster *roster, struct str name)
{
        uint32_t number = find_owner(roster, name);
        if (number == NOBODY)
                return ERR_missing;
        remove_owner(roster, number);
        return ERR_ok;
}

/* ---- changing keys ---- */

static bool is_same_key(const struct entry *entry, const struct roster_key *key)
{
        struct str id = {entry->text, entry->id_len};
        struct str display = {entry->text + entry->id_len, entry->display_len};
        return memcmp(entry->mac, key->seal.mac, SEAL_MAC_SIZE) == 0 &&
               entry->expires_s == key->expires_s && entry->origin == key->origin &&
               str_eq(id, key->id) && str_eq(display, key->display);
}

static enum err add_entry(struct roster *roster, const struct roster_key *key, uint32_t owner)
{
        uint32_t number = entry_take(roster), first = owner_at(roster, owner)->first;
        if (number == NOBODY)
                return ERR_limit;
        struct entry *entry = entry_at(roster, number);
        *entry = (struct entry){.tag = key->seal.tag,
                                .owner = owner,
                                .mark = roster->marks[key->origin],
                                .expires_s = key->expires_s,
                                .next = first,
                                .prev = NOBODY,
                                .id_len = (uint8_t)key->id.len,
                                .display_len = (uint8_t)key->display.len,
                                .origin = key->origin};
        char *at = entry->text;
        memcpy(entry->mac, key->seal.mac, SEAL_MAC_SIZE);
        put_text(&at, key->id);
        put_text(&at, key->display);
        enum err err = index_put(roster->keys, key->seal.tag, number);
        if (err != ERR_ok) {
                entry_drop(roster, number);
                return err;
        }
        if (first != NOBODY)
                entry_at(roster, first)->prev = number;
        owner_at(roster, owner)->first = number;
        roster->key_count++;
        return ERR_ok;
}

enum err roster_put_key(struct roster *roster, const struct roster_key *key)
{
        if (key->id.len > ROSTER_TEXT_MAX || key->display.len > ROSTER_TEXT_MAX - key->id.len)
                return ERR_range;
        tidy_up(roster);
        uint32_t owner = find_owner(roster, key->consumer);
        if (owner == NOBODY)
                return ERR_missing;
        uint32_t old = find_entry(roster, key->seal.tag);
        if (old != NOBODY) {
                struct entry *entry = entry_at(roster, old);
                bool is_moving = is_left_over(roster, entry->mark, entry->origin);
                if (entry->owner != owner && !is_moving)
                        return ERR_exists;
                if (entry->owner == owner && entry->origin > key->origin)
                        return ERR_ok;
                if (entry->owner == owner && is_same_key(entry, key)) {
                        entry->mark = roster->marks[key->origin];
                        return ERR_ok;
                }
        }
        /* The new one is there before the old one goes: no reader finds neither. */
        enum err err = add_entry(roster, key, owner);
        if (err == ERR_ok && old != NOBODY)
                remove_entry(roster, old);
        return err;
}

enum err roster_remove_key(struct roster *roster, struct hash128 tag)
{
        uint32_t number = find_entry(roster, tag);
        if (number == NOBODY)
                return ERR_missing;
        tidy_up(roster);
        remove_entry(roster, number);
        return ERR_ok;
}

/* ---- replacing all ---- */

void roster_mark(struct roster *roster, enum roster_origin origin)
{
        roster->marks[origin]++;
}

void roster_sweep(struct roster *roster, enum roster_origin origin)
{
        for (uint32_t i = 0; i < roster->owner_count; i++) {
                const struct body *body = body_of(roster, i);
                if (body != NULL && body->consumer.origin == origin &&
                    is_left_over(roster, owner_at(roster, i)->mark, (uint8_t)origin))
                        remove_owner(roster, i);
        }
        for (uint32_t i = 0; i < roster->owner_count; i++) {
                if (body_of(roster, i) == NULL)
                        continue;
                for (uint32_t at = owner_at(roster, i)->first, next; at != NOBODY; at = next) {
                        const struct entry *entry = entry_at(roster, at);
                        next = entry->next;
                        if (entry->origin == origin &&
                            is_left_over(roster, entry->mark, (uint8_t)origin))
                                remove_entry(roster, at);
                }
        }
}
