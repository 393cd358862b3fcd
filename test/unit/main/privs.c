/* privs.c -- what main/privs.h promises. What root alone can show is passed over by others. */
#include "main/privs.h"

#include "../unit.h"
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static void the_user_is_looked_up_with_a_preset(void **state)
{
        (void)state;
        struct user user;
        assert_int_equal(privs_user(STR_NONE, &user), ERR_ok);
        if (geteuid() != 0) {
                assert_int_equal(user.uid, geteuid());
                return;
        }
        assert_int_not_equal(user.uid, 0);
        assert_int_equal(privs_user(S("root"), &user), ERR_ok);
        assert_int_equal(user.uid, 0);
        assert_int_equal(privs_user(S("no-such-user-here"), &user), ERR_missing);
        assert_int_equal(privs_user(S("a-name-that-is-longer-than-any-name-of-a-user-on-any-system-"
                                      "that-there-is"),
                                    &user),
                         ERR_missing);
}

static void a_directory_is_made_for_the_user_and_one_that_exists_is_left(void **state)
{
        (void)state;
        char folder[] = "/tmp/privs-XXXXXX", path[64];
        struct user user;
        struct stat info;
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/state", folder);
        assert_int_equal(privs_user(STR_NONE, &user), ERR_ok);
        assert_int_equal(privs_make_dir(path, &user), ERR_ok);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_uid, user.uid);
        assert_int_equal(info.st_mode & 0777, 0700);
        assert_int_equal(chmod(path, 0750), 0);
        assert_int_equal(privs_make_dir(path, &user), ERR_ok);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0750);
        snprintf(path, sizeof path, "%s/not/there", folder);
        assert_int_equal(privs_make_dir(path, &user), ERR_missing);
        snprintf(path, sizeof path, "%s/state", folder);
        rmdir(path);
        rmdir(folder);
}

static int drop_and_try(void)
{
        struct user user;
        privs_keep(false);
        if (privs_user(STR_NONE, &user) != ERR_ok || privs_drop(&user, false) != ERR_ok)
                return 1;
        if (getuid() != user.uid || setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
                return 2;
        if (prctl(PR_GET_DUMPABLE) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return 3;
        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 10, 0, 0) == 0 ? 4 : 0;
}

static void what_was_given_up_does_not_come_back(void **state)
{
        (void)state;
        int status;
        if (geteuid() != 0)
                return; /* there is nothing to give up */
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
                _exit(drop_and_try());
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_user_is_looked_up_with_a_preset),
                cmocka_unit_test(a_directory_is_made_for_the_user_and_one_that_exists_is_left),
                cmocka_unit_test(what_was_given_up_does_not_come_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
