/* ticket.c -- keys change with time, are found again while they are good, and no longer. */
#include "net/ticket.h"

#include "../unit.h"

#define START (1000000 * TICKET_SPAN_NS)

static struct ticket_key key_at(struct ticket_ring *ring, uint64_t wall)
{
        struct ticket_key key;
        assert_int_equal(ticket_now(ring, wall, &key), ERR_ok);
        return key;
}

static void one_span_has_one_key(void **state)
{
        (void)state;
        struct ticket_ring ring = {0};
        struct ticket_key first = key_at(&ring, START), again = key_at(&ring, START + 1),
                          last = key_at(&ring, START + TICKET_SPAN_NS - 1),
                          next = key_at(&ring, START + TICKET_SPAN_NS);
        assert_memory_equal(&first, &again, sizeof first);
        assert_memory_equal(&first, &last, sizeof first);
        assert_memory_not_equal(first.name, next.name, TICKET_NAME);
        assert_memory_not_equal(first.cipher, next.cipher, TICKET_CIPHER);
        assert_memory_not_equal(first.mac, next.mac, TICKET_MAC);
}

static void a_key_is_found_for_three_spans(void **state)
{
        (void)state;
        struct ticket_ring ring = {0};
        struct ticket_key first = key_at(&ring, START), found;
        bool is_old;
        for (unsigned span = 0; span < 6; span++) {
                uint64_t now = START + span * TICKET_SPAN_NS;
                (void)key_at(&ring, now);
                enum err err = ticket_find(&ring, now, first.name, &found, &is_old);
                assert_int_equal(err, span < 3 ? ERR_ok : ERR_missing);
                if (err != ERR_ok)
                        continue;
                assert_memory_equal(&found, &first, sizeof first);
                assert_int_equal(is_old, span > 0);
        }
}

static bool holds(const struct ticket_ring *ring, const struct ticket_key *key)
{
        for (unsigned i = 0; i < TICKET_SLOTS; i++) {
                if (memcmp(ring->slots[i].key.cipher, key->cipher, TICKET_CIPHER) == 0)
                        return true;
        }
        return false;
}

static void what_is_over_is_overwritten(void **state)
{
        (void)state;
        struct ticket_ring ring = {0};
        struct ticket_key first = key_at(&ring, START);
        (void)key_at(&ring, START + 2 * TICKET_SPAN_NS);
        assert_true(holds(&ring, &first));
        (void)key_at(&ring, START + 3 * TICKET_SPAN_NS);
        assert_false(holds(&ring, &first));
}

static void another_name_finds_nothing(void **state)
{
        (void)state;
        struct ticket_ring ring = {0};
        struct ticket_key key = key_at(&ring, START), found;
        bool is_old;
        key.name[0] ^= 1;
        assert_int_equal(ticket_find(&ring, START, key.name, &found, &is_old), ERR_missing);
}

static void who_died_while_writing_is_in_nobodys_way_for_long(void **state)
{
        (void)state;
        struct ticket_ring ring = {0};
        struct ticket_key key;
        uint64_t span = START / TICKET_SPAN_NS + 1;
        ring.slots[span % TICKET_SLOTS].state = span * 2 + 1;
        assert_int_equal(ticket_now(&ring, START, &key), ERR_busy);
        (void)key_at(&ring, START + TICKET_SPAN_NS);
        (void)key_at(&ring, START + TICKET_SLOTS * TICKET_SPAN_NS);
}

static void a_clock_that_steps_back_finds_its_keys(void **state)
{
        (void)state;
        struct ticket_ring ring = {0};
        struct ticket_key early = key_at(&ring, START), found;
        bool is_old;
        (void)key_at(&ring, START + TICKET_SPAN_NS);
        struct ticket_key again = key_at(&ring, START);
        assert_memory_equal(&early, &again, sizeof early);
        assert_int_equal(ticket_find(&ring, START, early.name, &found, &is_old), ERR_ok);
        assert_false(is_old);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_span_has_one_key),
                cmocka_unit_test(a_key_is_found_for_three_spans),
                cmocka_unit_test(what_is_over_is_overwritten),
                cmocka_unit_test(another_name_finds_nothing),
                cmocka_unit_test(who_died_while_writing_is_in_nobodys_way_for_long),
                cmocka_unit_test(a_clock_that_steps_back_finds_its_keys),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
