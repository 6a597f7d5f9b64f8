// Event, EventTarget, AbortController and AbortSignal.

class Event {
    #type;
    #init;
    #prevented = false;
    _target = null;
    _stopped = false;

    constructor(type, init = {}) {
        if (arguments.length === 0) {
            throw new TypeError("Event: a type is missing");
        }
        this.#type = String(type);
        this.#init = init ?? {};
        Object.defineProperty(this, "_target", { enumerable: false });
        Object.defineProperty(this, "_stopped", { enumerable: false });
    }

    get type() {
        return this.#type;
    }

    get target() {
        return this._target;
    }

    get currentTarget() {
        return this._target;
    }

    get bubbles() {
        return Boolean(this.#init.bubbles);
    }

    get cancelable() {
        return Boolean(this.#init.cancelable);
    }

    get defaultPrevented() {
        return this.#prevented;
    }

    preventDefault() {
        this.#prevented = this.cancelable;
    }

    stopPropagation() {}

    stopImmediatePropagation() {
        this._stopped = true;
    }
}
tagged(Event, "Event", "type", "target", "currentTarget", "bubbles", "cancelable", "defaultPrevented");

class CustomEvent extends Event {
    #detail;

    constructor(type, init = {}) {
        super(type, init);
        this.#detail = init?.detail ?? null;
    }

    get detail() {
        return this.#detail;
    }
}
tagged(CustomEvent, "CustomEvent", "detail");

class EventTarget {
    #listeners = new Map();

    addEventListener(type, callback, options) {
        if (callback === null || callback === undefined) {
            return;
        }
        const wants = typeof options === "object" && options !== null ? options : { capture: Boolean(options) };
        const name = String(type);
        const list = this.#listeners.get(name) ?? [];
        const capture = Boolean(wants.capture);
        if (wants.signal?.aborted || list.some((one) => one.callback === callback && one.capture === capture)) {
            return;
        }
        list.push({ callback, capture, once: Boolean(wants.once) });
        this.#listeners.set(name, list);
        wants.signal?.addEventListener("abort", () => this.removeEventListener(name, callback, wants));
    }

    removeEventListener(type, callback, options) {
        const capture = Boolean(typeof options === "object" && options !== null ? options.capture : options);
        const list = this.#listeners.get(String(type));
        if (list !== undefined) {
            this.#listeners.set(String(type),
                list.filter((one) => one.callback !== callback || one.capture !== capture));
        }
    }

    dispatchEvent(event) {
        if (!(event instanceof Event)) {
            throw new TypeError("EventTarget.dispatchEvent: no Event was given");
        }
        event._target = this;
        const list = this.#listeners.get(event.type) ?? [];
        for (const one of [...list]) {
            if (event._stopped) {
                break;
            }
            if (!(this.#listeners.get(event.type) ?? []).includes(one)) {
                continue;
            }
            if (one.once) {
                this.removeEventListener(event.type, one.callback, one);
            }
            try {
                if (typeof one.callback === "function") {
                    one.callback.call(this, event);
                } else {
                    one.callback.handleEvent(event);
                }
            } catch (error) {
                reportError(error);
            }
        }
        return !event.defaultPrevented;
    }
}
tagged(EventTarget, "EventTarget", "addEventListener", "removeEventListener", "dispatchEvent");

const MADE_HERE = Symbol("made here");
let signalAbort;

class AbortSignal extends EventTarget {
    #aborted = false;
    #reason = undefined;
    #onabort = null;

    static {
        signalAbort = (signal, reason) => {
            if (signal.#aborted) {
                return;
            }
            signal.#aborted = true;
            signal.#reason = reason === undefined
                ? new DOMException("This operation was aborted", "AbortError") : reason;
            signal.dispatchEvent(new Event("abort"));
        };
    }

    constructor(token) {
        if (token !== MADE_HERE) {
            throw new TypeError("Illegal constructor");
        }
        super();
    }

    get aborted() {
        return this.#aborted;
    }

    get reason() {
        return this.#reason;
    }

    get onabort() {
        return this.#onabort;
    }

    set onabort(callback) {
        this.removeEventListener("abort", this.#onabort);
        this.#onabort = typeof callback === "function" ? callback : null;
        this.addEventListener("abort", this.#onabort);
    }

    throwIfAborted() {
        if (this.#aborted) {
            throw this.#reason;
        }
    }

    static abort(reason) {
        const signal = new AbortSignal(MADE_HERE);
        signalAbort(signal, reason);
        return signal;
    }

    static timeout(ms) {
        const signal = new AbortSignal(MADE_HERE);
        timerStart(() => signalAbort(signal,
            new DOMException("The operation was aborted due to timeout", "TimeoutError")), ms, false, true);
        return signal;
    }

    static any(signals) {
        const together = new AbortSignal(MADE_HERE);
        for (const one of signals) {
            if (one.aborted) {
                signalAbort(together, one.reason);
                return together;
            }
        }
        for (const one of signals) {
            one.addEventListener("abort", () => signalAbort(together, one.reason), { once: true });
        }
        return together;
    }
}
tagged(AbortSignal, "AbortSignal", "aborted", "reason", "onabort", "throwIfAborted");

class AbortController {
    #signal = new AbortSignal(MADE_HERE);

    get signal() {
        return this.#signal;
    }

    abort(reason) {
        signalAbort(this.#signal, reason);
    }
}
tagged(AbortController, "AbortController", "signal", "abort");
