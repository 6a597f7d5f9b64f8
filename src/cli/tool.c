#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void words_add(struct words *words, const char *word)
{
    INVARIANT(words->count + 1 < TOOL_WORDS_MAX);
    words->items[words->count++] = word;
    words->items[words->count] = NULL;
}

int tool_run(const struct words *words, const char *folder, int output, bool quiet)
{
    /* The call takes writable strings for historical reasons and writes to none. */
    char *arguments[TOOL_WORDS_MAX];
    memcpy(arguments, words->items, (words->count + 1) * sizeof arguments[0]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (output >= 0) {
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    }
    if (quiet) {
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    if (folder != NULL) {
        posix_spawn_file_actions_addchdir_np(&actions, folder);
    }
    pid_t child;
    int failed = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    while (failed == 0 && waitpid(child, &status, 0) < 0) {
        failed = errno == EINTR ? 0 : errno;
    }
    if (failed != 0) {
        return TOOL_MISSING;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
