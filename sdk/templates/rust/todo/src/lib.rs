//! A list of things to do. A service keeps it: one process, which answers calls one after the other. Requests are handled by
//! instances of their own, which call it.

use mote::{ErrorKind, Function, Request, Response, Result, Service, Value};

const TEXT_BYTES_MAX: usize = 200;
const TODOS_MAX: usize = 1000;

/// One thing to do.
#[derive(Clone, Default, Value)]
struct Todo {
    id: u32,
    text: String,
    done: bool,
}

/// What the service can do. Each gives the list as it is then.
const ALL: Function<(), Vec<Todo>> = Function::new("todos", "all");
const ADD: Function<String, Vec<Todo>> = Function::new("todos", "add");
const TOGGLE: Function<u32, Vec<Todo>> = Function::new("todos", "toggle");
const REMOVE: Function<u32, Vec<Todo>> = Function::new("todos", "remove");

// ---- the service

#[derive(Default)]
struct Todos {
    list: Vec<Todo>,
    last: u32,
}

impl Todos {
    fn add(&mut self, text: String) -> Result<Vec<Todo>> {
        if self.list.len() == TODOS_MAX || text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(ErrorKind::Limit.into());
        }
        self.last += 1;
        self.list.push(Todo { id: self.last, text, done: false });
        Ok(self.list.clone())
    }

    fn find(&self, id: u32) -> Result<usize> {
        Ok(self.list.iter().position(|one| one.id == id).ok_or(ErrorKind::NotFound)?)
    }
}

#[mote::export]
fn todos() -> Result {
    Service::new(Todos::default())
        .on(ALL, |todos, ()| Ok(todos.list.clone()))
        .on(ADD, Todos::add)
        .on(TOGGLE, |todos, id| {
            let at = todos.find(id)?;
            todos.list[at].done = !todos.list[at].done;
            Ok(todos.list.clone())
        })
        .on(REMOVE, |todos, id| {
            let at = todos.find(id)?;
            todos.list.remove(at);
            Ok(todos.list.clone())
        })
        .run()
}

// ---- handlers

#[mote::export]
fn index() -> Response {
    Response::html(include_str!("page.html"))
}

/// Tells the list, or why there is none.
fn answer(list: Result<Vec<Todo>>) -> Response {
    match list.map_err(|error| (error.kind(), error)) {
        Ok(list) => Response::json(&list),
        Err((ErrorKind::NotFound, _)) => Response::text("there is no such todo\n").status(404),
        Err((ErrorKind::Limit, _)) => {
            Response::text("a todo has 1 to 200 bytes, and there are at most 1000\n").status(400)
        }
        Err((_, error)) => Response::text(format!("the list is not there: {error}\n")).status(503),
    }
}

#[mote::export]
fn list() -> Response {
    answer(ALL.call(()))
}

#[mote::export]
fn create(mut request: Request) -> Response {
    match request.json::<Todo>(4096) {
        Ok(todo) => answer(ADD.call(todo.text)),
        Err(_) => Response::text("a todo is {\"text\": \"...\"}\n").status(400),
    }
}

fn number(request: &Request) -> u32 {
    request.param("id").parse().unwrap_or_default()
}

#[mote::export]
fn flip(request: Request) -> Response {
    answer(TOGGLE.call(number(&request)))
}

#[mote::export]
fn drop(request: Request) -> Response {
    answer(REMOVE.call(number(&request)))
}
