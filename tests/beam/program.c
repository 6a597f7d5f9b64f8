#include "program.h"

#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

noreturn static void fail(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(2);
}

static unsigned number(const char *path, const char *word)
{
    uint64_t value;
    if (!number_parse(word, strlen(word), UINT32_MAX, &value)) {
        fail(path, "not a number");
    }
    return (unsigned)value;
}

static void copy_word(const char *path, char ret[WORD_BYTES], const char *word, size_t length)
{
    if (length >= WORD_BYTES) {
        fail(path, "a word is too long");
    }
    memcpy(ret, word, length);
    ret[length] = '\0';
}

/* The words of a line up to a comment; how many there are. */
static size_t split(const char *path, const char *text, char (*ret)[WORD_BYTES], size_t max)
{
    size_t count = 0;
    const char *end = text + strcspn(text, "#\n");
    for (;;) {
        text += strspn(text, " \t");
        if (text >= end) {
            return count;
        }
        size_t length = strcspn(text, " \t#\n");
        if (count == max) {
            fail(path, "a line has too many words");
        }
        copy_word(path, ret[count++], text, length);
        text += length;
    }
}

/* name[:restart[:shutdown]] */
static void read_child(const char *path, const char *word, struct super_child *child)
{
    static const char *const restarts[] = {"permanent", "transient", "temporary"};
    size_t length = strcspn(word, ":");
    copy_word(path, child->name, word, length);
    child->shutdown_ns = 5000000000U;
    word += length;
    if (*word == ':') {
        word++;
        length = strcspn(word, ":");
        size_t i = 0;
        while (i < ARRAY_LENGTH(restarts) &&
               (strlen(restarts[i]) != length || memcmp(word, restarts[i], length) != 0)) {
            i++;
        }
        if (i == ARRAY_LENGTH(restarts)) {
            fail(path, "no such kind of child");
        }
        child->restart = (enum supervisor_restart)i;
        word += length;
    }
    if (*word == ':') {
        child->shutdown_ns = strcmp(word + 1, "kill") == 0
                                 ? 0
                                 : number(path, word + 1) * (uint64_t)1000000;
    }
}

static void read_super(const char *path, char (*words)[WORD_BYTES], size_t count,
                       struct super *super)
{
    static const char *const strategies[] = {"one_for_one", "one_for_all", "rest_for_one"};
    if (count < 5) {
        fail(path, "a supervisor wants a name, a strategy, restarts, a window and children");
    }
    memcpy(super->name, words[1], WORD_BYTES);
    size_t i = 0;
    while (i < ARRAY_LENGTH(strategies) && strcmp(strategies[i], words[2]) != 0) {
        i++;
    }
    if (i == ARRAY_LENGTH(strategies)) {
        fail(path, "no such strategy");
    }
    super->strategy = (enum supervisor_strategy)i;
    super->max_restarts = number(path, words[3]);
    super->window_ns = number(path, words[4]) * (uint64_t)1000000;
    for (i = 5; i < count; i++) {
        read_child(path, words[i], &super->children[super->child_count++]);
    }
}

static void read_line(struct program *program, const char *path, char (*words)[WORD_BYTES],
                      size_t count)
{
    struct actor *actor = program->actor_count == 0 ? NULL
                                                    : &program->actors[program->actor_count - 1];
    if (strcmp(words[0], "actor") == 0) {
        INVARIANT(program->actor_count < ACTORS_MAX);
        memcpy(program->actors[program->actor_count++].name, words[1], WORD_BYTES);
    } else if (strcmp(words[0], "supervisor") == 0) {
        INVARIANT(program->super_count < SUPERS_MAX);
        read_super(path, words, count, &program->supers[program->super_count++]);
    } else if (strcmp(words[0], "quiet") == 0) {
        program->quiet_ns = number(path, words[1]) * (uint64_t)1000000;
    } else if (actor == NULL) {
        fail(path, "a line belongs to no actor");
    } else if (strcmp(words[0], "refuse") == 0) {
        for (size_t i = 1; i < count && i <= REFUSALS_MAX; i++) {
            actor->refusals[i - 1] = number(path, words[i]);
        }
    } else {
        INVARIANT(actor->line_count < LINES_MAX && count <= WORDS_MAX);
        memcpy(actor->lines[actor->line_count++].words, words, count * WORD_BYTES);
    }
}

void program_read(struct program *program, const char *path)
{
    memset(program, 0, sizeof(*program));
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail(path, "cannot be read");
    }
    char text[512];
    while (fgets(text, sizeof(text), file) != NULL) {
        char words[5 + ACTORS_MAX][WORD_BYTES];
        size_t count = split(path, text, words, ARRAY_LENGTH(words));
        if (count > 0) {
            read_line(program, path, words, count);
        }
    }
    fclose(file);
    if (program_actor(program, "main") == NULL) {
        fail(path, "has no actor 'main'");
    }
}

const struct actor *program_actor(const struct program *program, const char *name)
{
    for (size_t i = 0; i < program->actor_count; i++) {
        if (strcmp(program->actors[i].name, name) == 0) {
            return &program->actors[i];
        }
    }
    return NULL;
}

const struct super *program_super(const struct program *program, const char *name)
{
    for (size_t i = 0; i < program->super_count; i++) {
        if (strcmp(program->supers[i].name, name) == 0) {
            return &program->supers[i];
        }
    }
    return NULL;
}
