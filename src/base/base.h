/**
 * @file
 * The few compiler and ownership helpers that every module may use. Nothing else is global.
 */
#pragma once

#include <stddef.h>
#include <stdnoreturn.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/** The object whose member `member` lives at `ptr`: how intrusive lists and embedded bodies go
 * back. */
#define CONTAINER_OF(ptr, type, member)                                                            \
    __extension__({                                                                                \
        __typeof__(((type *)0)->member) *member_of_ = (ptr);                                       \
        (type *)(void *)((char *)member_of_ - offsetof(type, member));                             \
    })

/** Run `destroy` on a local when its scope ends: `AUTO(bytes_finip) struct bytes b = {0};` */
#define AUTO(destroy) __attribute__((cleanup(destroy)))

/** Hand an owned pointer on: yields its value and leaves NULL behind, so that AUTO() lets go. */
#define TAKE(ptr)                                                                                  \
    __extension__({                                                                                \
        __typeof__(ptr) *take_from_ = &(ptr);                                                      \
        __typeof__(ptr) taken_ = *take_from_;                                                      \
        *take_from_ = NULL;                                                                        \
        taken_;                                                                                    \
    })

/** Define `type_destroyp`, the AUTO() form of `type_destroy`. */
#define DEFINE_AUTO_DESTROY(type)                                                                  \
    static inline void type##_destroyp(struct type **owned)                                        \
    {                                                                                              \
        type##_destroy(*owned);                                                                    \
    }

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/** Stop the node: something that the code relies on does not hold. Never for bad input. */
noreturn void bug_at(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)

/** Kept in release builds; `condition` has no side effects. One fact per INVARIANT. */
#define INVARIANT(condition) (LIKELY(condition) ? (void)0 : BUG("invariant broken: %s", #condition))
