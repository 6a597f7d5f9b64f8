#include "runtime.h"

#include "web.h" /* made of web/ (tools/quickjs.sh): web_script, web_script_bytes */

#include <stdlib.h>
#include <string.h>

bool runtime_is_live;

/* What mote_snapshot_room() gives: two sizes, then a script's name and the script. */
static uint8_t *input;

/* What the snapshot reads: src/engine/shim/src/snapshot.rs. */
static struct {
    uint32_t status, size;
    const char *text;
} said;

static JSRuntime *runtime;
static JSContext *context;
static JSValue glue, glue_begin, glue_turn, glue_failed;

enum { STACK_BYTES = 384 << 10, COLLECT_AFTER = 16 << 20 };

extern void __wasm_call_ctors(void);

__attribute__((export_name("mote_snapshot_room"))) void *mote_snapshot_room(uint32_t size);
void *mote_snapshot_room(uint32_t size)
{
    __wasm_call_ctors();
    input = malloc((size_t)size + 1);
    return input;
}

static void run_jobs(void)
{
    JSContext *where;
    int ran;
    do {
        ran = JS_ExecutePendingJob(runtime, &where);
        if (ran < 0) {
            JSValue error = JS_GetException(where);
            JS_FreeValue(context, JS_Call(context, glue_failed, JS_UNDEFINED, 1, &error));
        }
    } while (ran != 0);
}

/* The text that JavaScript makes of an exception; kept for good. */
static void say_error(void)
{
    JSValue error = JS_GetException(context);
    JSValue explain = JS_GetPropertyStr(context, glue, "explain");
    JSValue text = JS_Call(context, explain, JS_UNDEFINED, 1, &error);
    size_t size = 0;
    said.text = JS_ToCStringLen(context, &size, JS_IsException(text) ? error : text);
    said.size = said.text != NULL ? (uint32_t)size : 0;
    said.status = 1;
}

static char *normalize(JSContext *ctx, const char *base, const char *name, void *opaque)
{
    (void)base;
    (void)opaque;
    return js_strdup(ctx, name);
}

static int module_init(JSContext *ctx, JSModuleDef *module)
{
    JSValue values = JS_GetPropertyStr(ctx, glue, "mote");
    JSPropertyEnum *names;
    uint32_t count;
    if (JS_GetOwnPropertyNames(ctx, &names, &count, values, JS_GPN_STRING_MASK) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *name = JS_AtomToCString(ctx, names[i].atom);
        JS_SetModuleExport(ctx, module, name, JS_GetProperty(ctx, values, names[i].atom));
        JS_FreeCString(ctx, name);
    }
    JS_FreePropertyEnum(ctx, names, count);
    JS_FreeValue(ctx, values);
    return 0;
}

static JSModuleDef *module_load(JSContext *ctx, const char *name, void *opaque)
{
    (void)opaque;
    if (strcmp(name, "mote") != 0) {
        JS_ThrowReferenceError(
            ctx, "cannot find the module '%s' (only 'mote' is there without a bundler)", name);
        return NULL;
    }
    JSModuleDef *module = JS_NewCModule(ctx, name, module_init);
    JSValue values = JS_GetPropertyStr(ctx, glue, "mote");
    JSPropertyEnum *names;
    uint32_t count;
    if (module == NULL ||
        JS_GetOwnPropertyNames(ctx, &names, &count, values, JS_GPN_STRING_MASK) != 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *one = JS_AtomToCString(ctx, names[i].atom);
        JS_AddModuleExport(ctx, module, one);
        JS_FreeCString(ctx, one);
    }
    JS_FreePropertyEnum(ctx, names, count);
    JS_FreeValue(ctx, values);
    return module;
}

static void rejected(JSContext *ctx, JSValueConst promise, JSValueConst reason, bool handled,
                     void *opaque)
{
    (void)opaque;
    JSValue arguments[] = {JS_DupValue(ctx, promise), JS_DupValue(ctx, reason),
                           JS_NewBool(ctx, handled)};
    JSValue tell = JS_GetPropertyStr(ctx, glue, "rejected");
    JS_FreeValue(ctx, JS_Call(ctx, tell, JS_UNDEFINED, 3, arguments));
    JS_FreeValue(ctx, arguments[0]);
    JS_FreeValue(ctx, arguments[1]);
    JS_FreeValue(ctx, tell);
}

static bool runtime_start(void)
{
    static const struct natives *const tables[] = {
        &encoding_natives, &http_natives, &stream_natives,     &process_natives,
        &url_natives,      &cbor_natives, &supervisor_natives, &crypto_natives};
    runtime = JS_NewRuntime2(&memory_functions, NULL);
    context = runtime != NULL ? JS_NewContext(runtime) : NULL;
    if (context == NULL) {
        return false;
    }
    JS_SetMaxStackSize(runtime, STACK_BYTES);
    JS_SetModuleLoaderFunc(runtime, normalize, module_load, NULL);
    JSValue natives = JS_NewObject(context);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        JS_SetPropertyFunctionList(context, natives, tables[i]->entries, tables[i]->count);
    }
    JSValue script = JS_Eval(context, web_script, web_script_bytes, "mote:web",
                             JS_EVAL_TYPE_GLOBAL);
    memset(web_script, 0, web_script_bytes); /* it need not be in the image */
    glue = JS_IsException(script) ? JS_EXCEPTION
                                  : JS_Call(context, script, JS_UNDEFINED, 1, &natives);
    if (JS_IsException(glue)) {
        JSValue error = JS_GetException(context);
        said.text = JS_ToCString(context, error);
        return false;
    }
    glue_begin = JS_GetPropertyStr(context, glue, "begin");
    glue_turn = JS_GetPropertyStr(context, glue, "turn");
    glue_failed = JS_GetPropertyStr(context, glue, "failed");
    JS_SetHostPromiseRejectionTracker(runtime, rejected, NULL);
    return true;
}

static JSValue text_argument(const uint8_t *text, uint32_t size)
{
    return JS_NewStringLen(context, (const char *)text, size);
}

/* Compile and run the app's module: its namespace, or an exception. */
static JSValue app_run(const char *name, const char *script, uint32_t size)
{
    JSValue module = JS_Eval(context, script, size, name,
                             JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(module)) {
        return module;
    }
    JSModuleDef *definition = JS_VALUE_GET_PTR(module);
    JSValue done = JS_EvalFunction(context, module);
    if (JS_IsException(done)) {
        return done;
    }
    run_jobs();
    switch (JS_PromiseState(context, done)) {
    case JS_PROMISE_REJECTED:
        return JS_Throw(context, JS_PromiseResult(context, done));
    case JS_PROMISE_PENDING:
        return JS_ThrowTypeError(context, "the top level waits for something that cannot happen "
                                          "while the app is loaded");
    default:
        return JS_GetModuleNamespace(context, definition);
    }
}

static void app_load(void)
{
    uint32_t sizes[2];
    memcpy(sizes, input, sizeof sizes);
    const uint8_t *name = input + sizeof sizes, *script = name + sizes[0];
    char *file = calloc(1, (size_t)sizes[0] + 1);
    char *source = calloc(1, (size_t)sizes[1] + 1); /* the parser wants a zero at the end */
    if (file == NULL || source == NULL) {
        return;
    }
    memcpy(file, name, sizes[0]);
    memcpy(source, script, sizes[1]);
    JSValue arguments[] = {text_argument(name, sizes[0]), text_argument(script, sizes[1])};
    JSValue prepare = JS_GetPropertyStr(context, glue, "prepare");
    JSValue prepared = JS_Call(context, prepare, JS_UNDEFINED, 2, arguments);
    JSValue space = JS_IsException(prepared) ? prepared : app_run(file, source, sizes[1]);
    JSValue adopt = JS_GetPropertyStr(context, glue, "adopt");
    JSValue names = JS_IsException(space) ? space
                                          : JS_Call(context, adopt, JS_UNDEFINED, 1, &space);
    size_t size = 0;
    said.text = JS_IsException(names) ? NULL : JS_ToCStringLen(context, &size, names);
    if (said.text == NULL) {
        say_error();
        return;
    }
    said.status = 0;
    said.size = (uint32_t)size;
    for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
        JS_FreeValue(context, arguments[i]);
    }
    memset(source, 0, sizes[1]);
    free(source);
    free(file);
}

/* What loading has left on the stack would be in the image. It grows downwards, from where data begins. */
static __attribute__((noinline)) void stack_clear(void)
{
    volatile uint8_t *here = __builtin_frame_address(0);
    for (volatile uint8_t *at = (volatile uint8_t *)1024; at < here - 256; at++) {
        *at = 0;
    }
}

/* QuickJS's record of itself is the one block without a count. */
static void keep(void *block)
{
    if (block != runtime) {
        quickjs_immortal(block);
    }
}

__attribute__((export_name("mote_snapshot_run"))) const void *mote_snapshot_run(uint32_t size);
const void *mote_snapshot_run(uint32_t size)
{
    said.status = 1;
    if (input == NULL || size < 2 * sizeof(uint32_t) || !runtime_start()) {
        said.size = said.text != NULL ? (uint32_t)strlen(said.text) : 0;
        return &said;
    }
    app_load();
    memset(input, 0, size); /* it need not be in the image */
    free(input);
    if (said.status == 0) {
        quickjs_settle(context);
        JS_RunGC(runtime);
        memory_each(keep);
        JSMemoryUsage usage;
        JS_ComputeMemoryUsage(runtime, &usage);
        JS_SetGCThreshold(runtime, (size_t)usage.malloc_size + COLLECT_AFTER);
        memory_settle();
        stack_clear();
    }
    return &said;
}

static void fail(void)
{
    JSValue error = JS_GetException(context);
    JS_Call(context, glue_failed, JS_UNDEFINED, 1, &error);
    __builtin_trap(); /* glue_failed ends the process; this is for when even that fails */
}

/** Run the entry of that number until it is done: src/engine/shim/src/snapshot.rs gives each its name. */
static void entry_run(int32_t number)
{
    runtime_is_live = true;
    JS_UpdateStackTop(runtime);
    JSValue argument = JS_NewInt32(context, number);
    JSValue result = JS_Call(context, glue_begin, JS_UNDEFINED, 1, &argument);
    for (;;) {
        if (JS_IsException(result)) {
            fail();
        }
        if (JS_VALUE_GET_TAG(result) == JS_TAG_BOOL && JS_VALUE_GET_BOOL(result)) {
            return;
        }
        run_jobs();
        result = JS_Call(context, glue_turn, JS_UNDEFINED, 0, NULL);
    }
}

#define ENTRY(number)                                                                              \
    __attribute__((export_name("mote_entry_" #number))) void mote_entry_##number(void);            \
    void mote_entry_##number(void)                                                                 \
    {                                                                                              \
        entry_run(number);                                                                         \
    }
#define ENTRIES(ten)                                                                               \
    ENTRY(ten##0)                                                                                  \
    ENTRY(ten##1)                                                                                  \
    ENTRY(ten##2)                                                                                  \
    ENTRY(ten##3)                                                                                  \
    ENTRY(ten##4)                                                                                  \
    ENTRY(ten##5)                                                                                  \
    ENTRY(ten##6)                                                                                  \
    ENTRY(ten##7)                                                                                  \
    ENTRY(ten##8)                                                                                  \
    ENTRY(ten##9)

ENTRIES()
ENTRIES(1)
ENTRIES(2)
ENTRIES(3)
ENTRIES(4)
ENTRIES(5)
ENTRIES(6)
ENTRIES(7)
ENTRIES(8)
ENTRIES(9)
