#include "manifest/interpolate.h"

#include "manifest/utf8_text.h"

#include <string.h>

enum { NAME_MAX_BYTES = 128 };

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
static const char LETTERS_DIGITS[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

static bool append(struct bytes *ret, const char *text, size_t size, struct err *err)
{
    return bytes_append(ret, text, size) || err_set_memory(err);
}

/* `text` begins behind "${"; `*ret_end` is set behind the "}". */
static bool replace(const char *text, interpolate_lookup lookup, void *argument, struct bytes *ret,
                    const char **ret_end, struct err *err)
{
    char name[NAME_MAX_BYTES + 1];
    size_t size = strspn(text, LETTERS_DIGITS);
    const char *end = strchr(text, '}');

    if (end == NULL) {
        return err_set(err, ERR_INPUT,
                       "'${%.40s' is not closed; write ${NAME}, or $${ for a literal '${'", text);
    }
    bool has_default = strncmp(text + size, ":-", 2) == 0;
    if (size == 0 || size > NAME_MAX_BYTES || strchr(LETTERS, *text) == NULL ||
        (text + size != end && !has_default)) {
        return err_set(err, ERR_INPUT,
                       "'${%.*s}' names no variable; write ${NAME} or ${NAME:-default}, or $${ for "
                       "a literal '${'",
                       (int)(end - text < 40 ? end - text : 40), text);
    }
    memcpy(name, text, size);
    name[size] = '\0';
    *ret_end = end + 1;
    const char *value = lookup(argument, name);
    if (has_default && (value == NULL || *value == '\0')) {
        const char *fallback = text + size + 2;
        if (memmem(fallback, (size_t)(end - fallback), "${", 2) != NULL) {
            return err_set(err, ERR_INPUT,
                           "the default of ${%s} holds another '${'; a default is plain text",
                           name);
        }
        return append(ret, fallback, (size_t)(end - fallback), err);
    }
    if (value == NULL) {
        return err_set(err, ERR_INPUT,
                       "${%s} is not set; set it in the environment or in .env, or give a default: "
                       "${%s:-value}",
                       name, name);
    }
    if (!utf8_text_valid(value, strlen(value))) {
        return err_set(err, ERR_INPUT, "the value of ${%s} is not UTF-8 text", name);
    }
    return append(ret, value, strlen(value), err);
}

bool interpolate(const char *text, interpolate_lookup lookup, void *argument, struct bytes *ret,
                 bool *ret_replaced, struct err *err)
{
    *ret_replaced = false;
    while (*text != '\0') {
        size_t plain = strcspn(text, "$");
        if (!append(ret, text, plain, err)) {
            return false;
        }
        text += plain;
        if (strncmp(text, "$${", 3) == 0) {
            if (!append(ret, "${", 2, err)) {
                return false;
            }
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            *ret_replaced = true;
            if (!replace(text + 2, lookup, argument, ret, &text, err)) {
                return false;
            }
        } else if (*text == '$') {
            if (!append(ret, "$", 1, err)) {
                return false;
            }
            text++;
        }
    }
    return true;
}
