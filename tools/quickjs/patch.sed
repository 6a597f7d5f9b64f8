# What tools/quickjs.sh changes of quickjs.c. For WASI QuickJS believes that there is no telling how deep its stack is;
# there is, with the stack at the bottom of the memory. Blocks come from our allocator one by one, and counts of references
# go through functions (sdk/js/runtime/quickjs_settle.h says why), but for those of the collector of cycles.
s/^#if defined(__wasi__)$/#if 0/
s/^#define JS_ARENA_LARGE_BLOCKS_ONLY 0$/#define JS_ARENA_LARGE_BLOCKS_ONLY 1/
s/--JS_REF_COUNT(\([a-z0-9_>-]*\))/js_rc_dec(\1)/
/^static void gc_/,/^}/!s/^\( *\)JS_REF_COUNT(\([a-z0-9_>-]*\))++;$/\1js_rc_inc(\2);/
/^static void gc_/,/^}/!s/^\( *\)JS_REF_COUNT(\([a-z0-9_>-]*\))--;$/\1js_rc_dec(\2);/
/^#define JS_REF_COUNT(p)/a\
#define IMMORTAL_SLACK (1 << 28)\
static inline void js_rc_inc(void *p)\
{\
    int count = JS_REF_COUNT(p);\
    if (count < IMMORTAL_SLACK) {\
        JS_REF_COUNT(p) = count + 1;\
    }\
}\
static inline int js_rc_dec(void *p)\
{\
    int count = JS_REF_COUNT(p);\
    if (count < IMMORTAL_SLACK) {\
        JS_REF_COUNT(p) = --count;\
    }\
    return count;\
}
