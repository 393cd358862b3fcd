/* command.c -- what the table of commands promises, whatever stands in it. */
#include "cmd/command.h"
#include "cmd/flags.h"

#include "../unit.h"

static struct arena arena;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 64 << 20);
        return 0;
}

static int end(void **state)
{
        (void)state;
        arena_fini(&arena);
        return 0;
}

static void check_flag(const struct command *command, const struct flag *flag)
{
        if (flag_find(command, str_of(flag->name)) != flag)
                fail_msg("%s --%s twice", command->name, flag->name);
        for (const struct flag *one = global_flags; one->name != NULL; one++) {
                if (strcmp(one->name, flag->name) == 0 ||
                    (flag->letter != '\0' && flag->letter == one->letter))
                        fail_msg("%s --%s is --%s, too", command->name, flag->name, one->name);
        }
        struct str text = str_of(flag->text);
        if (!str_ends(text, S(".")) && !str_ends(text, S("?")))
                fail_msg("%s --%s: its text is a sentence", command->name, flag->name);
        assert_true((flag->kind == FLAG_SWITCH) == (flag->value == NULL));
        assert_true((flag->kind == FLAG_CHOICE) == (flag->choices != NULL));
}

static void a_flag_stands_once_and_is_explained(void **state)
{
        (void)state;
        for (size_t i = 0; i < commands_count; i++) {
                const struct flag *flag = commands[i]->flags;
                for (; flag != NULL && flag->name != NULL; flag++)
                        check_flag(commands[i], flag);
        }
}

static void a_command_says_what_it_does(void **state)
{
        (void)state;
        for (size_t i = 0; i < commands_count; i++) {
                const struct command *command = commands[i];
                assert_non_null(command->run);
                assert_true(command->line != NULL && strlen(command->line) > 8);
                if (str_ends(str_of(command->line), S(".")))
                        fail_msg("%s: its line is no sentence", command->name);
                assert_true((command->operands_most == 0) == (command->operands == NULL));
                for (const unsigned char *code = command->exits; code != NULL && *code != 0; code++)
                        assert_non_null(exit_text(*code));
                assert_ptr_equal(command_find(str_of(command->name)), command);
        }
}

/* The words of an example up to what is for the shell. */
static int words_of(const char *line, char **words, int most)
{
        struct str rest = str_of(line);
        int count = 0;
        while (rest.ptr != NULL && count < most) {
                bool is_quoted = str_starts(rest, S("'"));
                if (is_quoted)
                        rest = str_skip(rest, 1);
                struct str word = str_cut(&rest, is_quoted ? '\'' : ' ');
                if (str_is(word, "|") || str_is(word, ">") || str_is(word, "<") ||
                    str_is(word, "&&"))
                        break;
                if (word.len > 0)
                        words[count++] = arena_cstr(&arena, word);
        }
        return count;
}

static void check_sample(const struct command *command, const struct sample *sample)
{
        static struct call call;
        char *words[32];
        int count = words_of(sample->line, words, countof(words));
        if (count < 2 || strcmp(words[0], "gate") != 0)
                return; /* a line of shell around it */
        call = (struct call){0};
        arena_init(&call.arena, NULL, 1 << 20);
        int code = flags_read(&call, count, words);
        bool is_own = str_find_str(str_of(sample->line), str_of(command->name)) >= 0;
        if (code != EXIT_done || !is_own)
                fail_msg("%s: its example `%s` does not work", command->name, sample->line);
        arena_fini(&call.arena);
}

static void examples_are_command_lines_that_work(void **state)
{
        (void)state;
        for (size_t i = 0; i < commands_count; i++) {
                const struct sample *sample = commands[i]->samples;
                for (; sample != NULL && sample->line != NULL; sample++)
                        check_sample(commands[i], sample);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_flag_stands_once_and_is_explained, begin, end),
                cmocka_unit_test_setup_teardown(a_command_says_what_it_does, begin, end),
                cmocka_unit_test_setup_teardown(examples_are_command_lines_that_work, begin, end),
        };
        return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
