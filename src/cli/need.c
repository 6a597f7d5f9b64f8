#include "cli/need.h"

#include <string.h>

struct row {
    const char *name;
    enum need need;
};

/* Of the module "mote", by whole names; what is not here needs nothing. */
static const struct row MOTE[] = {
    {"env_get", NEED_ENV},
    {"exit_signal", NEED_CONTROL},
    {"fetch_start", NEED_NETWORK},
    {"kill", NEED_CONTROL},
    {"link", NEED_CONTROL},
    {"members", NEED_NAMESPACES},
    {"publish", NEED_NAMESPACES},
    {"spawn", NEED_SPAWN},
    {"supervisor_children", NEED_CONTROL},
    {"supervisor_start", NEED_SPAWN},
    {"tagged", NEED_NAMESPACES},
    {"whereis", NEED_NAMESPACES},
};

/* All of WASI preview 1. What works on any descriptor is told as for what a guest has from the start. */
static const struct row PREVIEW1[] = {
    {"args_get", NEED_NOTHING},
    {"args_sizes_get", NEED_NOTHING},
    {"clock_res_get", NEED_NOTHING},
    {"clock_time_get", NEED_NOTHING},
    {"environ_get", NEED_ENV},
    {"environ_sizes_get", NEED_ENV},
    {"fd_advise", NEED_FOLDERS},
    {"fd_allocate", NEED_FOLDERS},
    {"fd_close", NEED_NOTHING},
    {"fd_datasync", NEED_FOLDERS},
    {"fd_fdstat_get", NEED_NOTHING},
    {"fd_fdstat_set_flags", NEED_NOTHING},
    {"fd_fdstat_set_rights", NEED_NOTHING},
    {"fd_filestat_get", NEED_FOLDERS},
    {"fd_filestat_set_size", NEED_FOLDERS},
    {"fd_filestat_set_times", NEED_FOLDERS},
    {"fd_pread", NEED_FOLDERS},
    {"fd_prestat_dir_name", NEED_FOLDERS},
    {"fd_prestat_get", NEED_FOLDERS},
    {"fd_pwrite", NEED_FOLDERS},
    {"fd_read", NEED_FOLDERS},
    {"fd_readdir", NEED_FOLDERS},
    {"fd_renumber", NEED_NOTHING},
    {"fd_seek", NEED_FOLDERS},
    {"fd_sync", NEED_FOLDERS},
    {"fd_tell", NEED_FOLDERS},
    {"fd_write", NEED_STDIO},
    {"path_create_directory", NEED_FOLDERS},
    {"path_filestat_get", NEED_FOLDERS},
    {"path_filestat_set_times", NEED_FOLDERS},
    {"path_link", NEED_FOLDERS},
    {"path_open", NEED_FOLDERS},
    {"path_readlink", NEED_FOLDERS},
    {"path_remove_directory", NEED_FOLDERS},
    {"path_rename", NEED_FOLDERS},
    {"path_symlink", NEED_FOLDERS},
    {"path_unlink_file", NEED_FOLDERS},
    {"poll_oneoff", NEED_NOTHING},
    {"proc_exit", NEED_NOTHING},
    {"proc_raise", NEED_NOTHING},
    {"random_get", NEED_NOTHING},
    {"sched_yield", NEED_NOTHING},
    {"sock_accept", NEED_NEVER},
    {"sock_recv", NEED_NEVER},
    {"sock_send", NEED_NEVER},
    {"sock_shutdown", NEED_NEVER},
};

/* Interfaces of components, by how their names begin. */
static const struct row INTERFACES[] = {
    {"mote:runtime/fetching", NEED_NETWORK},
    {"mote:runtime/names", NEED_NAMESPACES},
    {"mote:runtime/spawning", NEED_SPAWN},
    {"mote:runtime/supervisors", NEED_SPAWN},
    {"mote:runtime/ties", NEED_CONTROL},
    {"rusm:runtime/kv", NEED_NEVER},
    {"wasi:cli/environment", NEED_ENV},
    {"wasi:cli/stderr", NEED_STDIO},
    {"wasi:cli/stdin", NEED_STDIO},
    {"wasi:cli/stdout", NEED_STDIO},
    {"wasi:cli/terminal-", NEED_STDIO},
    {"wasi:filesystem/", NEED_FOLDERS},
    {"wasi:http/outgoing-handler", NEED_NETWORK},
    {"wasi:sockets/", NEED_NETWORK},
};

static bool is_text(const char *text, size_t size_bytes, const char *wanted)
{
    return strlen(wanted) == size_bytes && memcmp(text, wanted, size_bytes) == 0;
}

static const struct row *find_row(const struct row *rows, size_t count, const char *name,
                                  size_t name_bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (is_text(name, name_bytes, rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}

enum need need_of(const struct wasm_import *import)
{
    const struct row *row = NULL;
    if (is_text(import->module, import->module_bytes, "mote")) {
        row = find_row(MOTE, ARRAY_LENGTH(MOTE), import->name, import->name_bytes);
    } else if (is_text(import->module, import->module_bytes, "wasi_snapshot_preview1")) {
        row = find_row(PREVIEW1, ARRAY_LENGTH(PREVIEW1), import->name, import->name_bytes);
    } else {
        for (size_t i = 0; row == NULL && i < ARRAY_LENGTH(INTERFACES); i++) {
            size_t size = strlen(INTERFACES[i].name);
            bool begins = import->module_bytes >= size &&
                          memcmp(import->module, INTERFACES[i].name, size) == 0;
            row = begins ? &INTERFACES[i] : NULL;
        }
    }
    return row == NULL ? NEED_NOTHING : row->need;
}

bool need_is_preview1(const char *name, size_t name_bytes)
{
    return find_row(PREVIEW1, ARRAY_LENGTH(PREVIEW1), name, name_bytes) != NULL;
}
