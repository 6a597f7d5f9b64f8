#include "cli/notify.h"

#include "base/log.h"
#include "base/number.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 2048, NS_PER_US = 1000 };

bool notify_address(const char *text, struct sockaddr_un *ret, socklen_t *ret_bytes)
{
    size_t size = strlen(text);
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((text[0] != '/' && text[0] != '@') || size < 2 || size >= sizeof ret->sun_path) {
        return false;
    }
    memcpy(ret->sun_path, text, size);
    if (text[0] == '@') {
        ret->sun_path[0] = '\0';
    }
    *ret_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return true;
}

static uint64_t watchdog_of_environment(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *pid_text = getenv("WATCHDOG_PID");
    uint64_t us, pid;
    if (text == NULL || !number_parse(text, strlen(text), UINT64_MAX / NS_PER_US, &us)) {
        return 0;
    }
    if (pid_text != NULL &&
        (!number_parse(pid_text, strlen(pid_text), INT32_MAX, &pid) || (pid_t)pid != getpid())) {
        return 0; /* another process is watched */
    }
    return us * NS_PER_US;
}

void notify_open(struct notify *ret)
{
    *ret = (struct notify){.fd = -1};
    const char *text = getenv("NOTIFY_SOCKET");
    if (text == NULL || *text == '\0') {
        return;
    }
    if (!notify_address(text, &ret->address, &ret->address_bytes)) {
        log_printf(LOG_WARN, "NOTIFY_SOCKET is '%s', no path and no @name: nobody is told", text);
        return;
    }
    /* Whoever reads may be busy for a moment, and what we say is said once. */
    const struct timeval patience = {.tv_sec = 1};
    ret->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ret->fd < 0 ||
        setsockopt(ret->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        log_printf(LOG_WARN, "NOTIFY_SOCKET: %s", strerror(errno));
        return;
    }
    ret->watchdog_ns = watchdog_of_environment();
}

void notify_send(const struct notify *notify, const char *fmt, ...)
{
    char text[MESSAGE_BYTES];
    if (notify->fd < 0) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    int size = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (size < 0 || size >= (int)sizeof text) {
        size = sizeof text - 1;
    }
    ssize_t ignored = sendto(notify->fd, text, (size_t)size, MSG_NOSIGNAL,
                             (const struct sockaddr *)&notify->address, notify->address_bytes);
    (void)ignored;
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0) {
        close(notify->fd);
    }
    *notify = (struct notify){.fd = -1};
}
