/* main.c -- the command `gate`: finds the command that was asked for and hands the tables down. */
#include <stdio.h>

int main(void)
{
        printf("gate\n");
        return 0;
}
