/* mail.c -- what io/mail.h promises, from many threads and to a loop that sleeps. */
#include "io/mail.h"

#include <pthread.h>
#include <stdlib.h>

#include "../unit.h"
#include "io/loop.h"

#define SEC 1000000000ull

enum { WRITERS = 4, LETTERS = 20000, BURST = 64 };

struct letter {
        struct mail mail;
        unsigned writer, number;
};

static struct mailbox box;
static struct loop *loop;
static unsigned next_number[WRITERS];
static unsigned opened;
static bool is_disordered;

static void open_letter(struct mail *mail)
{
        struct letter *letter = container_of(mail, struct letter, mail);
        is_disordered |= letter->number != next_number[letter->writer]++;
        opened++;
        free(letter);
}

static struct mail *letter_make(unsigned writer, unsigned number)
{
        struct letter *letter = calloc(1, sizeof *letter);
        *letter = (struct letter){.mail.open = open_letter, .writer = writer, .number = number};
        return &letter->mail;
}

static int begin(void **state)
{
        (void)state;
        memset(next_number, 0, sizeof next_number);
        opened = 0;
        is_disordered = false;
        return 0;
}

static void only_the_first_letter_asks_to_wake(void **state)
{
        (void)state;
        assert_null(mailbox_take(&box));
        assert_true(mailbox_put(&box, letter_make(0, 0)));
        assert_false(mailbox_put(&box, letter_make(0, 1)));
        assert_false(mailbox_put(&box, letter_make(0, 2)));
        struct mail *mail = mailbox_take(&box);
        while (mail != NULL) {
                struct mail *next = mail->next;
                mail->open(mail);
                mail = next;
        }
        assert_int_equal(opened, 3);
        assert_false(is_disordered);
        assert_null(mailbox_take(&box));
        assert_true(mailbox_put(&box, letter_make(0, 3)));
        free(mailbox_take(&box));
}

static void *write_letters(void *arg)
{
        unsigned writer = *(unsigned *)arg;
        for (unsigned i = 0; i < LETTERS; i++) {
                loop_post(loop, letter_make(writer, i));
                if (i % BURST == 0)
                        usleep(1); /* lets the loop fall asleep now and then */
        }
        return NULL;
}

static void all_mail_arrives_in_order_at_a_loop_that_sleeps(void **state)
{
        (void)state;
        pthread_t threads[WRITERS];
        unsigned numbers[WRITERS];
        loop = loop_make(&driver_epoll, 128);
        for (unsigned i = 0; i < WRITERS; i++) {
                numbers[i] = i;
                assert_int_equal(pthread_create(&threads[i], NULL, write_letters, &numbers[i]), 0);
        }
        /* A lost wake-up would cost one of these waits, and the test its time. */
        uint64_t start = loop_now(loop);
        while (opened < WRITERS * LETTERS && loop_now(loop) < start + 60 * SEC)
                loop_turn(loop, 60 * SEC);
        for (unsigned i = 0; i < WRITERS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(opened, WRITERS * LETTERS);
        assert_false(is_disordered);
        assert_true(loop_now(loop) < start + 50 * SEC);
        loop_free(loop);
}

static void *stop_later(void *arg)
{
        usleep(20000);
        loop_post(loop, arg);
        return NULL;
}

static void open_stop(struct mail *mail)
{
        (void)mail;
        loop_stop(loop);
}

static void one_letter_wakes_a_loop_that_waits_for_ever(void **state)
{
        (void)state;
        pthread_t thread;
        struct mail stop = {.open = open_stop};
        loop = loop_make(&driver_epoll, 128);
        assert_int_equal(pthread_create(&thread, NULL, stop_later, &stop), 0);
        loop_run(loop);
        pthread_join(thread, NULL);
        loop_free(loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(only_the_first_letter_asks_to_wake, begin),
                cmocka_unit_test_setup(all_mail_arrives_in_order_at_a_loop_that_sleeps, begin),
                cmocka_unit_test_setup(one_letter_wakes_a_loop_that_waits_for_ever, begin),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
