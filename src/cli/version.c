#include "cli/command.h"
#include "engine/engine.h"

#include <stdio.h>
#include <string.h>

int command_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: mote version\n\nPrints the version of mote and of its WebAssembly engine.");
        return STATUS_OK;
    }
    if (argc > 1) {
        return usage_error("version", "unexpected '%s'", argv[1]);
    }
    printf("mote %s (wasmtime %s)\n", MOTE_VERSION, engine_version());
    return STATUS_OK;
}
