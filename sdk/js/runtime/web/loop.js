// The event loop: timers, and promises over the host's wait().

const MAIL = 0;
const READABLE = 1;
const WRITABLE = 2;
const CLIENT_GONE = 3;
const FETCHED = 4;
const CLOSED = -5;
const TIMEOUT = -9;
const SET_MAX = 64;

let waiters = []; // {kind, handle, weak, promise, resolve, reject}
let timers = []; // {at, order, id, callback, every, weak}, the next one first
let timerCount = 0;

// A promise of the time when that is so. A weak one keeps nobody waiting that has nothing else to wait for.
const waitFor = (kind, handle, weak = false) => {
    const one = Promise.withResolvers();
    one.kind = kind;
    one.handle = handle;
    one.weak = weak;
    waiters.push(one);
    return one.promise;
};

const timerInsert = (timer) => {
    let at = timers.length;
    while (at > 0 && timers[at - 1].at > timer.at) {
        at--;
    }
    timers.splice(at, 0, timer);
};

const timerStart = (callback, ms, repeats, weak, args = []) => {
    if (typeof callback !== "function") {
        throw new TypeError('The "callback" argument must be of type function.');
    }
    let wait = Number(ms);
    wait = wait >= 1 && wait <= 2147483647 ? Math.trunc(wait) : repeats ? 1 : 0;
    const id = ++timerCount;
    timerInsert({ at: native.clock() + wait, id, callback, args, every: repeats ? wait : 0, weak });
    return id;
};

const timerStop = (id) => {
    const at = timers.findIndex((one) => one.id === Number(id));
    if (at >= 0) {
        timers.splice(at, 1);
    }
};

const timersRun = () => {
    const now = native.clock();
    if (timers.length === 0 || timers[0].at > now) {
        return false;
    }
    const timer = timers.shift();
    if (timer.every > 0) {
        timer.at = now + timer.every;
        timerInsert(timer);
    }
    timer.callback(...timer.args);
    return true;
};

const loopWait = () => {
    const alive = waiters.some((one) => !one.weak) || timers.some((one) => !one.weak);
    if (!alive) {
        return false;
    }
    const set = waiters.slice(0, SET_MAX);
    const flat = [];
    for (const one of set) {
        flat.push(one.kind, one.handle);
    }
    const until = timers.length === 0 ? -1 : Math.max(0, timers[0].at - native.clock());
    const ready = native.wait(flat, until);
    if (ready === null) {
        return true;
    }
    if (typeof ready === "number") {
        if (ready === CLOSED) {
            finished = true; // the client has left, and nothing can be waited for any more
            return true;
        }
        for (const one of set) {
            one.reject(hostError(ready));
        }
        waiters = waiters.slice(set.length);
        return true;
    }
    const more = waiters.slice(set.length);
    waiters = [];
    for (let i = 0; i < set.length; i++) {
        if (ready[i] === 1) {
            set[i].resolve(undefined);
        } else {
            waiters.push(set[i]);
        }
    }
    // Those that had to stand back come first the next time.
    waiters = more.concat(waiters);
    return true;
};

const ERROR_NAMES = ["ok", "denied", "not found", "invalid", "limit", "closed", "misplaced", "no memory", "malformed",
    "timeout", "exists", "full", "aborted"];

const hostError = (code, why = "") => {
    const name = ERROR_NAMES[-code] ?? "unknown";
    return Object.assign(new Error(`mote: ${name}${why === "" ? "" : `: ${why}`}`), { code: name });
};

const setTimeout = (callback, ms = 0, ...args) => timerStart(callback, ms, false, false, args);
const setInterval = (callback, ms = 0, ...args) => timerStart(callback, ms, true, false, args);
const setImmediate = (callback, ...args) => timerStart(callback, 0, false, false, args);
const queueMicrotask = (callback) => {
    if (typeof callback !== "function") {
        throw new TypeError('The "callback" argument must be of type function.');
    }
    Promise.resolve().then(callback).catch(reportError);
};
