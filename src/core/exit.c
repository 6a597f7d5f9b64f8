#include "core/exit.h"

#include <stdlib.h>

void exit_fini(struct exit *exit)
{
    free(TAKE(exit->backtrace));
}

const char *exit_class_name(enum exit_class exit_class)
{
    switch (exit_class) {
    case EXIT_NORMAL:
        return "normal";
    case EXIT_SHUTDOWN:
        return "shutdown";
    case EXIT_EXITED:
        return "exited";
    case EXIT_CRASHED:
        return "crashed";
    case EXIT_CRASHED_MEMORY:
        return "crashed: memory";
    case EXIT_CRASHED_CPU:
        return "crashed: cpu";
    case EXIT_CRASHED_TIMEOUT:
        return "crashed: timeout";
    case EXIT_KILLED:
        return "killed";
    }
    BUG("exit class %d", (int)exit_class);
}
