/* A guest that opens files by WASI, as code that was written for elsewhere does. */
#include <mote.h>

#include <stdio.h>
#include <wasi/api.h>

/* The answer says what came of it. */
MOTE_HANDLER(create)
{
    static char path[128];
    mote_query("path", path, sizeof path);
    FILE *file = fopen(path, mote_query_number("write", 0) != 0 ? "w" : "r");
    mote_reply_text(200, file == NULL ? "refused" : "opened");
    if (file != NULL) {
        fclose(file);
    }
}

/* Without a look at what it has been given. */
MOTE_HANDLER(insist)
{
    __wasi_fd_t fd;
    __wasi_errno_t error = __wasi_path_open(3, 0, "file", 0, __WASI_RIGHTS_FD_READ, 0, 0, &fd);
    mote_reply_text(200, error == 0 ? "opened" : "refused");
}
