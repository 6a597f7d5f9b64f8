#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void err_format(struct err *err, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

static void err_format(struct err *err, const char *fmt, va_list args)
{
    if (vsnprintf(err->text, sizeof(err->text), fmt, args) < 0) {
        err->text[0] = '\0';
    }
}

bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    err_format(err, fmt, args);
    va_end(args);
    err->code = code;
    err->os = 0;
    return false;
}

bool err_set_os(struct err *err, int os, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    err_format(err, fmt, args);
    va_end(args);
    err->code = ERR_OS;
    err->os = os;

    char words[128];
    const char *reason = strerror_r(os, words, sizeof(words));
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", reason);
    return false;
}

bool err_set_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "out of memory");
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
    char inner[ERR_TEXT_BYTES];
    memcpy(inner, err->text, sizeof(inner));
    inner[sizeof(inner) - 1] = '\0';

    va_list args;
    va_start(args, fmt);
    err_format(err, fmt, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
    return false;
}
