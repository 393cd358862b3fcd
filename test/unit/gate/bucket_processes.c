/* bucket_processes.c -- what gate/bucket.h promises to processes that share the memory: exact
 * together, also while some of them are killed. Not for the thread sanitizer, whose swaps of two
 * words are one step within a process only. */
#include <signal.h>
#include <sys/wait.h>

#include "bucket_memory.h"

static void processes_that_share_the_memory_are_exact_together(void **state)
{
        struct memory memory = make(100);
        _Atomic(unsigned) *admitted = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        struct crowd crowd = {.table = &memory.table,
                              .rate = rate_of(1000, HOUR, 1000),
                              .tries = 100000,
                              .cells = 50,
                              .admitted = admitted};
        pid_t children[3];
        (void)state;
        for (unsigned i = 0; i < countof(children); i++) {
                children[i] = fork();
                if (children[i] == 0) {
                        struct bucket_table own;
                        if (bucket_map(memory.at, memory.size, &own) != ERR_ok)
                                _exit(1);
                        crowd.table = &own;
                        take_some(&crowd);
                        _exit(0);
                }
        }
        for (unsigned i = 0; i < countof(children); i++) {
                int status;
                assert_int_equal(waitpid(children[i], &status, 0), children[i]);
                assert_int_equal(status, 0);
        }
        for (unsigned n = 0; n < crowd.cells; n++)
                assert_int_equal(atomic_load(&admitted[n]), 1000);
        munmap(admitted, 4096);
        drop(&memory);
}

static _Noreturn void make_cells_for_ever(const struct memory *memory, uint64_t seed)
{
        struct bucket_rate rate = rate_of(4, SECOND, 4);
        for (uint64_t n = 0;; n++)
                bucket_take(&memory->table, cell_of(seed + n), &rate, 1, HOUR + n * SECOND / 2);
}

static void a_process_that_is_killed_wedges_nothing(void **state)
{
        struct memory memory = make_tiny();
        struct bucket_rate rate = rate_of(10, HOUR, 10);
        (void)state;
        for (uint64_t round = 0; round < 100; round++) {
                pid_t children[2];
                for (unsigned i = 0; i < countof(children); i++) {
                        children[i] = fork();
                        if (children[i] == 0)
                                make_cells_for_ever(&memory, round << 40 | (uint64_t)i << 32);
                }
                usleep(500);
                for (unsigned i = 0; i < countof(children); i++) {
                        kill(children[i], SIGKILL);
                        assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
                }
                uint64_t now = HOUR * 24 * 365 * (round + 1);
                for (uint64_t n = 0; n < 8; n++) {
                        for (int i = 0; i < 11; i++) {
                                struct hash128 cell = cell_of(~(round * 8 + n));
                                assert_int_equal(
                                        bucket_take(&memory.table, cell, &rate, 1, now).is_admitted,
                                        i < 10);
                        }
                }
                memset((char *)memory.at + 256, 0, memory.size - 256);
        }
        drop(&memory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(processes_that_share_the_memory_are_exact_together),
                cmocka_unit_test(a_process_that_is_killed_wedges_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
