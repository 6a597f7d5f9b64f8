#include "guest/machine.h"

#include "guest/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t socket_address(const struct ip *ip, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (ip->v6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret;
        v6->sin6_family = AF_INET6;
        memcpy(&v6->sin6_addr, ip->bytes, sizeof v6->sin6_addr);
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret;
    v4->sin_family = AF_INET;
    memcpy(&v4->sin_addr, ip->bytes, sizeof v4->sin_addr);
    return sizeof *v4;
}

/* When in doubt, it may. */
static bool may_bind(const struct ip *ip)
{
    struct sockaddr_storage address;
    socklen_t size = socket_address(ip, &address);
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno != EAFNOSUPPORT;
    }
    bool may = bind(fd, (struct sockaddr *)&address, size) == 0 || errno != EADDRNOTAVAIL;
    close(fd);
    return may;
}

/* Whether what goes there comes from there. When in doubt, it does. */
static bool leads_home(const struct ip *ip)
{
    struct sockaddr_storage address;
    struct ip source;
    uint16_t port = 0;
    socklen_t size = socket_address(ip, &address);
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return true;
    }
    ((struct sockaddr_in *)(void *)&address)->sin_port = htons(9); /* at the same place in IPv6 */
    bool home = connect(fd, (struct sockaddr *)&address, size) != 0 ||
                getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
                !network_address((struct sockaddr *)&address, &source, &port) ||
                ip_equal(&source, ip);
    close(fd);
    return home;
}

/* One may bind to it; unless one may to all (net.ipv4.ip_nonlocal_bind), such as those of documentation: then a second address
 * of an interface goes unseen. */
static bool system_has(const struct ip *ip)
{
    static const struct ip nowhere4 = {.bytes = {198, 51, 100, 254}};
    static const struct ip nowhere6 = {.v6 = true,
                                       .bytes = {0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, [15] = 0xfe}};
    return may_bind(ip) && (!may_bind(ip->v6 ? &nowhere6 : &nowhere4) || leads_home(ip));
}

/* What was found out last. A guest that sends datagrams asks for each of them; what the machine's addresses have become in
 * between is seen after so many. */
enum { VERDICTS = 8, VERDICT_USES = 64 };
static _Thread_local struct verdict {
    struct ip ip;
    bool is_here;
    unsigned uses_left;
} verdicts[VERDICTS];

static machine_function injected; /* NULL: the system */

void machine_set(machine_function function)
{
    injected = function;
    memset(verdicts, 0, sizeof verdicts);
}

bool machine_may_have(const struct ip *ip)
{
    return injected != NULL ? injected(ip) : may_bind(ip);
}

bool machine_has(const struct ip *ip)
{
    struct verdict *verdict = &verdicts[ip->bytes[ip->v6 ? 15 : 3] % VERDICTS];
    if (verdict->uses_left == 0 || !ip_equal(&verdict->ip, ip)) {
        bool is_here = injected != NULL ? injected(ip) : system_has(ip);
        *verdict = (struct verdict){*ip, is_here, VERDICT_USES};
    }
    verdict->uses_left--;
    return verdict->is_here;
}
