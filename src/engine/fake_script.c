#include "engine/fake_script.h"

#include "base/number.h"

#include <stdio.h>
#include <string.h>

static const char *const op_names[] = {
    "entry", "call", "data",  "grow",   "label", "jump", "jump-if",
    "spin",  "nap",  "print", "return", "exit",  "trap", "memory",
};

/** Take the next line off `*text`. False: no more. */
static bool line_take(const char **text, const char *end, char *ret, size_t ret_bytes)
{
    if (*text >= end) {
        return false;
    }
    const char *newline = memchr(*text, '\n', (size_t)(end - *text));
    const char *stop = newline != NULL ? newline : end;
    size_t size = (size_t)(stop - *text) < ret_bytes - 1 ? (size_t)(stop - *text) : ret_bytes - 1;
    memcpy(ret, *text, size);
    ret[size] = '\0';
    *text = stop + 1;
    return true;
}

/** Take the next word off `*line`; "" at its end. */
static void word_take(const char **line, char *ret)
{
    *line += strspn(*line, " ");
    size_t size = strcspn(*line, " ");
    size_t kept = size < FAKE_WORD_BYTES - 1 ? size : FAKE_WORD_BYTES - 1;
    memcpy(ret, *line, kept);
    ret[kept] = '\0';
    *line += size;
}

static bool step_parse_number(const char **line, uint64_t *ret)
{
    char word[FAKE_WORD_BYTES];
    word_take(line, word);
    return number_parse(word, strlen(word), UINT64_MAX, ret);
}

static bool step_parse_call(struct fake_step *step, const char *line)
{
    word_take(&line, step->name);
    for (;;) {
        char word[FAKE_WORD_BYTES];
        word_take(&line, word);
        if (word[0] == '\0') {
            return true;
        }
        uint32_t index = step->argument_count;
        if (index == ENGINE_CALL_ARGUMENTS) {
            return false;
        }
        if (strcmp(word, "$") == 0) {
            step->last_result_mask |= 1U << index;
        } else if (!number_parse(word, strlen(word), UINT64_MAX, &step->arguments[index])) {
            return false;
        }
        step->argument_count++;
    }
}

static bool step_parse(struct fake_step *step, const char *line)
{
    char word[FAKE_WORD_BYTES];
    word_take(&line, word);
    size_t op = 0;
    while (op < ARRAY_LENGTH(op_names) && strcmp(word, op_names[op]) != 0) {
        op++;
    }
    if (op == ARRAY_LENGTH(op_names)) {
        return false;
    }
    *step = (struct fake_step){.op = (enum fake_op)op};
    switch (step->op) {
    case OP_CALL:
        return step_parse_call(step, line);
    case OP_DATA:
        if (!step_parse_number(&line, &step->number)) {
            return false;
        }
        (void)snprintf(step->name, sizeof(step->name), "%s", line + (*line == ' '));
        return true;
    case OP_PRINT:
        (void)snprintf(step->name, sizeof(step->name), "%s", line + (*line == ' '));
        return true;
    case OP_ENTRY:
    case OP_LABEL:
    case OP_JUMP:
    case OP_JUMP_IF:
        word_take(&line, step->name);
        return step->name[0] != '\0';
    case OP_GROW:
    case OP_EXIT:
    case OP_MEMORY:
        return step_parse_number(&line, &step->number);
    case OP_SPIN:
    case OP_NAP:
    case OP_RETURN:
    case OP_TRAP:
        return true;
    }
    BUG("op %d", (int)step->op);
}

bool fake_script_parse(const uint8_t *data, size_t size_bytes, struct fake_script *ret,
                       struct err *err)
{
    const char *text = (const char *)data;
    const char *end = text + size_bytes;
    char line[2 * FAKE_WORD_BYTES];
    if (size_bytes == 0 || !line_take(&text, end, line, sizeof(line)) ||
        strcmp(line, "mote-fake") != 0) {
        return err_set(err, ERR_INPUT, "not WebAssembly: no script for the fake engine");
    }
    ret->step_count = 0;
    ret->memory_bytes = 0;
    for (unsigned number = 2; line_take(&text, end, line, sizeof(line)); number++) {
        if (line[strspn(line, " ")] == '\0') {
            continue;
        }
        if (ret->step_count == FAKE_STEPS_MAX) {
            return err_set(err, ERR_INPUT, "invalid: more than %d steps", FAKE_STEPS_MAX);
        }
        struct fake_step *step = &ret->steps[ret->step_count++];
        if (!step_parse(step, line)) {
            return err_set(err, ERR_INPUT, "invalid: line %u: %s", number, line);
        }
        if (step->op == OP_MEMORY) {
            ret->memory_bytes = step->number;
        }
    }
    return true;
}

bool fake_script_find(const struct fake_script *script, enum fake_op op, const char *name,
                      uint32_t *ret)
{
    for (uint32_t i = 0; i < script->step_count; i++) {
        if (script->steps[i].op == op && strcmp(script->steps[i].name, name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}
