/**
 * @file
 * A manifest turned into something that runs: grants, components, pools, a node, routes, listeners.
 *
 * Life:    app_open() (manifest read and checked) -> app_prepare() (components compiled and linked) ->
 *          app_listen() (sockets bound, threads running, services up) -> app_accept() -> app_drain() ->
 *          app_destroy().
 * Threads: the main thread.
 */
#pragma once

#include "admin/admin.h"
#include "manifest/manifest.h"
#include "serve/handler.h"

struct app;

struct app_options {
    const char *path;          /**< Of the manifest. */
    const char *const *listen; /**< Replaces the listeners' addresses in turn. */
    size_t listen_count;
    const char *cache_folder; /**< NULL: the user's. */
    const char *notice;       /**< For serve_options of all listeners; borrowed. NULL: none. */
    /** Sockets to use before any is bound; borrowed until app_destroy(). NULL: none. */
    struct inheritance *inheritance;
    /** For admin_options. */
    void (*reload)(void *argument, struct exchange *exchange, uint64_t timeout_ms);
    void *reload_argument;
    void (*swap)(void *argument, struct exchange *exchange);
    void *swap_argument;
};

/** Read and check. NULL: every problem was printed to standard error. */
struct app *app_open(const struct app_options *options) MUST_USE;
void app_destroy(struct app *app);

/** In place of app_destroy() for a program that is about to exit while app_swap() runs: all processes and listeners end, and what the
 *  swap may touch stays. */
void app_leave(struct app *app);
DEFINE_AUTO_DESTROY(app)

const struct manifest *app_manifest(const struct app *app);

/** Open, compile, load and link every component, and find every route's entry. All failures are printed to
 *  standard error, one a line. False: there was one. */
bool app_prepare(struct app *app) MUST_USE;

/** Bind every listener and the admin socket, drop privileges, start the node and its services. Whose place another
 *  node still has does not answer on the admin socket yet. False: `err` says why; also that a service did not
 *  start. */
bool app_listen(struct app *app, struct err *err) MUST_USE;

/** Accept. */
bool app_accept(struct app *app, struct err *err) MUST_USE;

/** Every listening socket, for a successor; when it serves, app_let_go(): they are not ours any more. */
bool app_hand_over(const struct app *app, struct handover *to, struct err *err) MUST_USE;
void app_let_go(struct app *app);

/** A predecessor's place is taken: its files are ours. */
void app_settle(struct app *app);

struct node *app_node(struct app *app);
/** Read the certificates of all listeners again, for new connections; open ones go on. What is wrong is logged, and
 *  the listener concerned stays as it was. False: something was wrong. */
bool app_reload_certificates(struct app *app);

/** Look at all components' files again: processes that begin from now on run what they hold, services are renewed. What does
 *  not load leaves what it would replace in place. Everything that happens is logged, and told in `report`, a line each; nothing
 *  where nothing has changed. May compile: on a thread of its own, one at a time, while the node runs. Once `*over` is set no
 *  component is begun. False: something was refused. */
bool app_swap(struct app *app, const atomic_bool *over, struct bytes *report);

struct server *app_server(struct app *app);

/** As services_downfall(). */
const char *app_downfall(const struct app *app);

/** Refuse what is new, finish what runs, stop the services, cut what does not finish in time. True: nothing was cut. */
bool app_drain(struct app *app);
