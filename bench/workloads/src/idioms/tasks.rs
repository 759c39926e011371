//! Boxed futures on an executor, and boxed closures as events.

use crate::random::Random;
use crate::Repetition;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

type Boxed<Output> = Pin<Box<dyn Future<Output = Output> + Send>>;

/// One thread only, so that each lock is free.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those that can continue.
#[derive(Clone, Default)]
struct Executor(Arc<Mutex<VecDeque<Arc<Task>>>>);

struct Task {
    future: Mutex<Option<Boxed<()>>>,
    executor: Executor,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        lock(&self.executor.0).push_back(self.clone());
    }
}

impl Executor {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        Arc::new(Task {
            future: Mutex::new(Some(Box::pin(future))),
            executor: self.clone(),
        })
        .wake();
    }

    fn next(&self) -> Option<Arc<Task>> {
        lock(&self.0).pop_front()
    }

    /// Until no task can continue.
    fn run(&self) {
        while let Some(task) = self.next() {
            let waker = Waker::from(task.clone());
            let mut future = lock(&task.future);
            let done = future.as_mut().is_none_or(|future| {
                let context = &mut Context::from_waker(&waker);
                future.as_mut().poll(context).is_ready()
            });
            if done {
                *future = None;
            }
        }
    }
}

/// A value that is sent once.
struct Reply<T>(Arc<Mutex<(Option<T>, Option<Waker>)>>);

impl<T> Clone for Reply<T> {
    fn clone(&self) -> Self {
        Reply(self.0.clone())
    }
}

impl<T> Reply<T> {
    fn new() -> Reply<T> {
        Reply(Arc::default())
    }

    fn send(&self, value: T) {
        let waker = {
            let mut state = lock(&self.0);
            state.0 = Some(value);
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Reply<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = lock(&self.0);
        match state.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                state.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The work of a request: parts that are boxed since they call themselves, and tasks of their own at the ends.
fn answer(executor: Executor, text: String, depth: u32) -> Boxed<u64> {
    Box::pin(async move {
        if depth == 0 {
            let reply = Reply::new();
            let sender = reply.clone();
            executor.spawn(async move { sender.send(text.len() as u64) });
            return reply.await;
        }
        let left = answer(executor.clone(), format!("{text}/0"), depth - 1).await;
        let right = answer(executor, format!("{text}/1"), depth - 1).await;
        left.wrapping_mul(3).wrapping_add(right)
    })
}

/// A server: requests wait for tasks, 64 at a time.
pub fn futures(_threads: usize) -> Repetition {
    Box::new(|| {
        let executor = Executor::default();
        let total = Arc::new(Mutex::new(0u64));
        for batch in 0..80 {
            for request in 0..64 {
                let (executor_of_it, total) = (executor.clone(), total.clone());
                executor.spawn(async move {
                    let text = format!("request {batch}/{request}");
                    let sum = answer(executor_of_it, text, 5).await;
                    let mut total = lock(&total);
                    *total = total.wrapping_add(sum);
                });
            }
            executor.run();
        }
        let total = *lock(&total);
        total
    })
}

/// What happens at a time. Of two at the same time, the one that was planned first.
struct Event {
    time: u64,
    number: u64,
    action: Box<dyn FnOnce(&mut Simulation)>,
}

impl Event {
    fn key(&self) -> Reverse<(u64, u64)> {
        Reverse((self.time, self.number))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Event) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Event) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// Customers who wait for a few counters.
struct Simulation {
    time: u64,
    planned: u64,
    events: BinaryHeap<Event>,
    random: Random,
    free_counters: usize,
    waiting: VecDeque<Box<Customer>>,
    served: u64,
    waited: u64,
}

struct Customer {
    name: String,
    since: u64,
    wishes: Vec<u64>,
}

impl Simulation {
    fn new(counters: usize) -> Simulation {
        Simulation {
            time: 0,
            planned: 0,
            events: BinaryHeap::new(),
            random: Random::new(30),
            free_counters: counters,
            waiting: VecDeque::new(),
            served: 0,
            waited: 0,
        }
    }

    fn plan(&mut self, after: u64, action: impl FnOnce(&mut Simulation) + 'static) {
        self.planned += 1;
        self.events.push(Event {
            time: self.time + after,
            number: self.planned,
            action: Box::new(action),
        });
    }

    fn arrive(&mut self, number: u64, last: u64) {
        let wishes = 1 + self.random.below(4);
        let customer = Box::new(Customer {
            name: format!("customer {number}"),
            since: self.time,
            wishes: (0..wishes)
                .map(|_| 1 + self.random.below(20) as u64)
                .collect(),
        });
        if self.free_counters > 0 {
            self.free_counters -= 1;
            self.serve(customer);
        } else {
            self.waiting.push_back(customer);
        }
        if number < last {
            let after = self.random.below(8) as u64;
            self.plan(after, move |simulation| simulation.arrive(number + 1, last));
        }
    }

    /// A wish after the other; then it is the next one's turn.
    fn serve(&mut self, mut customer: Box<Customer>) {
        if let Some(wish) = customer.wishes.pop() {
            self.plan(wish, move |simulation| simulation.serve(customer));
            return;
        }
        self.served += 1;
        self.waited += (self.time - customer.since) * customer.name.len() as u64;
        match self.waiting.pop_front() {
            Some(next) => self.serve(next),
            None => self.free_counters += 1,
        }
    }

    fn run(&mut self) {
        while let Some(event) = self.events.pop() {
            self.time = event.time;
            (event.action)(self);
        }
    }
}

pub fn events(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut simulation = Simulation::new(8);
        simulation.plan(0, |simulation| simulation.arrive(1, 400_000));
        simulation.run();
        simulation.time ^ simulation.waited.rotate_left(20) ^ simulation.served
    })
}

#[cfg(test)]
mod tests {
    use super::{lock, Arc, Executor, Mutex, Reply, Simulation};

    #[test]
    fn a_task_waits_for_its_reply() {
        let executor = Executor::default();
        let (reply, seen) = (Reply::new(), Arc::new(Mutex::new(0)));
        let (receiver, result) = (reply.clone(), seen.clone());
        executor.spawn(async move { *lock(&result) = receiver.await });
        executor.run();
        assert_eq!(*lock(&seen), 0);
        reply.send(7);
        executor.run();
        assert_eq!(*lock(&seen), 7);
    }

    #[test]
    fn every_customer_is_served() {
        let mut simulation = Simulation::new(2);
        simulation.plan(0, |simulation| simulation.arrive(1, 100));
        simulation.run();
        assert_eq!(simulation.served, 100);
        assert_eq!((simulation.free_counters, simulation.waiting.len()), (2, 0));
        assert!(simulation.waited > 0);
    }
}
