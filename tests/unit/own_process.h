/* For what counts from the machine's start: each test has a process of its own. */
#ifndef OWN_PROCESS_H
#define OWN_PROCESS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The whole of main(): the program is executed again with the number of each test. */
static inline int run_in_processes(int argc, char **argv, const struct CMUnitTest *tests,
                                   unsigned nr) {
    bool failed = false;

    if (argc > 1) {
        const struct CMUnitTest one[] = {tests[atoi(argv[1])]};

        return cmocka_run_group_tests(one, NULL, NULL);
    }
    for (unsigned i = 0; i < nr; i++) {
        pid_t child = fork();
        int status;

        if (!child) {
            char number[12];

            snprintf(number, sizeof(number), "%u", i);
            execl(argv[0], argv[0], number, NULL);
            _exit(127);
        }
        failed |= waitpid(child, &status, 0) != child || status;
    }
    return failed;
}

#endif
