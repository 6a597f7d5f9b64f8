/** Types of the module "mote", for editors and compilers. What each function does: docs/guest-abi.md, docs/javascript.md. */
declare module "mote" {
    /** A process. 0n: the platform. */
    export type Pid = bigint;
    export type Reference = bigint;
    /** A process by its pid, or by a name that it has. */
    export type Who = Pid | string;
    /** Strings and bytes are sent as they are, everything else as JSON. */
    export type Value = string | ArrayBuffer | ArrayBufferView | object | number | boolean | null | undefined;
    /** `code` of the errors that the platform answers. */
    export type ErrorCode = "denied" | "not found" | "invalid" | "limit" | "closed" | "misplaced" | "no memory" | "malformed" |
        "timeout" | "exists" | "full" | "aborted";

    export interface Input {
        bytes(): Uint8Array;
        text(): string;
        json(): any;
        /** As CBOR, which calls between languages have: docs/calls.md. */
        value(): any;
    }

    export interface Mail extends Input {
        kind: "send" | "call" | "reply" | "down" | "exit" | "timer" | "stop" | "frame" | "close";
        sender: Pid;
        label: bigint;
        reference: Reference;
        /** Of "down" and "exit". */
        exitClass?: string;
        status?: number;
        stream?: ReadableStream<Uint8Array>;
    }

    export interface Context {
        /** Keep the process behind its answer until the promise is settled. */
        waitUntil(promise: Promise<unknown>): void;
        passThroughOnException(): void;
    }

    /** The variables that the capability grants. */
    export type Env = Record<string, string | undefined>;
    export type Handler = (request: Request, env: Env, context: Context) => Response | Promise<Response>;
    export type Worker = (input: Input, env: Env, context: Context) => void | Promise<void>;

    export interface ServerWebSocket {
        request: Request;
        /** The app's own. */
        data: any;
        /** False: nobody is there any more. */
        send(data: string | ArrayBuffer | ArrayBufferView): boolean;
        close(code?: number, reason?: string): void;
    }

    export interface WebSocketHandler {
        open?(socket: ServerWebSocket): void | Promise<void>;
        message?(socket: ServerWebSocket, data: string | Uint8Array): void | Promise<void>;
        close?(socket: ServerWebSocket, code: number, reason: string): void | Promise<void>;
        /** Mail of other processes. */
        mail?(socket: ServerWebSocket, mail: Mail): void | Promise<void>;
    }

    export interface SpawnOptions {
        link?: boolean;
        monitor?: boolean;
        maxMemoryMb?: number;
        maxCpuMs?: number;
        deadlineMs?: number;
    }

    /** What a function of a service throws so that its caller gets that error. */
    export class Failure extends Error {
        constructor(code: ErrorCode, message?: string);
        code: ErrorCode;
    }

    /** The functions of a service as its callers have them; `cast` waits for no answer. */
    export type Client<T> = {
        [K in keyof T]: T[K] extends (...args: infer A) => infer R
            ? ((...args: A) => Promise<Awaited<R>>) & { cast(...args: A): void } : never;
    };
    /** An exported service: others call its functions by their names. */
    export function service<T extends Record<string, (argument: any) => unknown>>(functions: T): T;
    /** The functions of a service, of this language or another, as functions: `client<typeof counter>("counter").bump(1)`. */
    export function client<T = Record<string, (argument?: any) => any>>(who: Who, options?: { timeout?: number }): Client<T>;
    /** CBOR: docs/calls.md. Integers that a number cannot hold are BigInts, bytes are Uint8Arrays. */
    export const cbor: { encode(value: unknown): Uint8Array; decode(bytes: ArrayBuffer | ArrayBufferView): any };

    export function call(who: Who, name: string | bigint, value?: Value,
        options?: { timeout?: number; stream?: ReadableStream<Uint8Array> }): Promise<Mail>;
    /** With `stream` the other one gets it too. */
    export function send(who: Who, name: string | bigint | null, value?: Value,
        options?: { stream?: ReadableStream<Uint8Array> }): number;
    /** null: the time is over. */
    export function receive(options?: { timeout?: number }): Promise<Mail | null>;
    export function reply(mail: Mail, value?: Value, options?: { stream?: ReadableStream<Uint8Array> }): number;
    export function replyError(mail: Mail, code: ErrorCode): number;
    export function sendAfter(who: Who, name: string | bigint | null, value: Value, ms: number): Reference;
    export function cancel(reference: Reference): boolean;
    export function sleep(ms: number): Promise<void>;
    export function spawn(component: string, input?: Value, options?: SpawnOptions): { pid: Pid; reference: Reference };

    export interface Child {
        component: string;
        /** Among the children; otherwise as its component. */
        name?: string;
        input?: Value;
        /** "permanent" when not given. */
        restart?: "permanent" | "transient" | "temporary";
        /** How long it may take to stop; 0: it is killed. */
        shutdownMs?: number;
        /** 0: it has started at once; else by ready() or its first receive() within that time. */
        startTimeoutMs?: number;
    }

    /** Start a supervisor, linked to this process, and then its children in order; its pid. 3 restarts in 5 seconds when not given. */
    export function supervise(children: Child[], options?: {
        strategy?: "one-for-one" | "one-for-all" | "rest-for-one"; maxRestarts?: number; windowMs?: number;
    }): Pid;
    /** Of a supervisor: its children as they are; pid 0n: not running. */
    export function children(supervisor: Pid): { name: string; pid: Pid; restarts: number }[];

    /** What is published to a group from now on. */
    export function subscribe(group: string): AsyncGenerator<Mail, void>;
    /** One of the events of a stream; what is no text or object with these is its data. */
    export type ServerEvent = string | { event?: string; id?: string | number; retry?: number; data?: unknown };
    /** A Response of server-sent events: data that is no text is written as JSON. */
    export function events(source: Iterable<ServerEvent> | AsyncIterable<ServerEvent> |
        (() => Iterable<ServerEvent> | AsyncIterable<ServerEvent>), init?: ResponseInit): Response;

    /** A `:name` of the route. */
    export function param(name: string): string | null;
    export function remoteAddress(): string | null;
    export function requestId(): string | null;
    export const env: Env;

    export function self(): Pid;
    export function parent(): Pid;
    export function ready(): number;
    export function label(name: string): bigint;
    export function setLabel(text: string): number;
    export function whereis(name: string): Pid | null;
    export function register(name: string): number;
    export function unregister(name: string): number;
    export function tag(name: string): number;
    export function untag(name: string): number;
    export function tagged(name: string): Pid[];
    export function join(group: string): number;
    export function leave(group: string): number;
    export function members(group: string): Pid[];
    /** How many got it. */
    export function publish(group: string, name: string | bigint | null, value?: Value): number;
    export function list(): Pid[];
    export function link(pid: Pid): number;
    export function unlink(pid: Pid): number;
    export function monitor(pid: Pid): Reference;
    export function demonitor(reference: Reference): boolean;
    /** What it was. */
    export function trapExits(on?: boolean): boolean;
    export function exit(reason?: string): never;
    export function exitSignal(pid: Pid, reason: string): number;
    export function kill(pid: Pid): number;
}
