/* main.c -- the program `gate`: a process of a running gate when a keeper started it, else the
 * command that was asked for. */
#include "cmd/command.h"
#include "main/keeper.h"

int main(int argc, char **argv)
{
        int code;
        if (keeper_reenter(argc, argv, data_run, &code))
                return code;
        return command_main(argc, argv);
}
