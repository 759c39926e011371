//! Which task of a program holds how much memory? A custom profiler (v3) answers that: some callbacks in
//! an `mi_profiler_t`, which mimalloc calls for a sample of the blocks. It needs no call stacks, so it is cheap,
//! and works where stacks cannot be walked.
//!
//!     cargo run --release --example memory_by_task
//!
//! Each thread declares which task it works on. A sampled block stores the task, and the number of bytes that it represents.

#[cfg(mi_v2)]
fn main() {
    println!("This example needs v3: v2 has no profiler.");
}

#[cfg(mi_v3)]
fn main() {
    v3::main();
}

#[cfg(mi_v3)]
mod v3 {
    use mi_malloc_sys::*;
    use std::cell::{Cell, UnsafeCell};
    use std::ffi::c_void;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::{mem, ptr, thread};

    #[global_allocator]
    static GLOBAL: MiMalloc = MiMalloc;

    /// About how many bytes a thread requests from one sample to the next. Release builds look for a sample only
    /// where an allocation leaves the fast path, so a smaller rate would not add many samples.
    const RATE: usize = 64 << 10;

    const NAMES: [&str; 3] = ["other", "sessions", "index"];
    const OTHER: usize = 0;
    const SESSIONS: usize = 1;
    const INDEX: usize = 2;

    // Without destructors and lazy values, so that a callback can use them at any time.
    thread_local! {
        static TASK: Cell<usize> = const { Cell::new(OTHER) };
        /// The rate that mimalloc passed with the first sample of this thread.
        static FIRST_RATE: Cell<usize> = const { Cell::new(0) };
    }

    pub fn main() {
        let profiler = TaskProfiler::start();

        let mut sessions = as_task(SESSIONS, || records(40_000, 700));
        let index = as_task(INDEX, || records(10_000, 1500));
        let (more_index, rate_elsewhere) = thread::spawn(|| {
            notice_profiler();
            let more = as_task(INDEX, || records(10_000, 1500));
            (more, FIRST_RATE.with(Cell::get))
        })
        .join()
        .expect("the thread does not panic");
        let allocated = [0, bytes(&sessions), bytes(&index) + bytes(&more_index)];
        sessions.truncate(10_000);
        let in_use = [0, bytes(&sessions), allocated[INDEX]];

        println!("KiB          allocated  estimated     in use  estimated");
        for task in [SESSIONS, INDEX] {
            let found = &profiler.tasks[task];
            let estimated = [&found.allocated, &found.in_use].map(|bytes| bytes.load(Relaxed));
            println!(
                "{:<10}{:>12}{:>11}{:>11}{:>11}",
                NAMES[task],
                allocated[task] >> 10,
                estimated[0] >> 10,
                in_use[task] >> 10,
                estimated[1] >> 10
            );
            for (estimated, real) in estimated.into_iter().zip([allocated[task], in_use[task]]) {
                assert!(
                    estimated.abs_diff(real) < real / 4,
                    "{} {}",
                    estimated,
                    real
                );
            }
        }
        println!("from {} samples", profiler.samples.load(Relaxed));
        let rate_here = FIRST_RATE.with(Cell::get);
        println!(
            "rate of a thread's first sample: {} where the profiler was started, {} elsewhere",
            rate_here, rate_elsewhere
        );
        assert_eq!((rate_here, rate_elsewhere), (1, RATE));
        profiler.stop();
    }

    /// Runs `work` with its allocations counted for `task`.
    fn as_task<T>(task: usize, work: impl FnOnce() -> T) -> T {
        let outer = TASK.with(|current| current.replace(task));
        let result = work();
        TASK.with(|current| current.set(outer));
        result
    }

    fn records(count: usize, size: usize) -> Vec<Vec<u8>> {
        (0..count).map(|n| vec![n as u8; size]).collect()
    }

    fn bytes(records: &[Vec<u8>]) -> usize {
        records.iter().map(Vec::capacity).sum()
    }

    /// The thread that starts a profiler samples at once. Any other thread checks for one every thousand allocations
    /// that leave the fast path, as `mi_malloc` of more than `MI_SMALL_SIZE_MAX` does.
    fn notice_profiler() {
        for _ in 0..=1000 {
            // SAFETY: an ordinary block, freed once.
            unsafe { mi_free(mi_malloc(MI_SMALL_SIZE_MAX + 1)) };
        }
    }

    /// The profiler: the struct that mimalloc needs, and behind it data of this program.
    #[repr(C)]
    struct TaskProfiler {
        /// mimalloc writes to it, on any thread.
        base: UnsafeCell<mi_profiler_t>,
        tasks: [Task; NAMES.len()],
        samples: AtomicUsize,
    }

    /// Bytes, as estimated from the samples.
    #[derive(Default)]
    struct Task {
        allocated: AtomicUsize,
        in_use: AtomicUsize,
    }

    /// What a sampled block stores until it is freed.
    struct Sample {
        task: usize,
        /// The bytes requested since the previous sample, which this block represents.
        bytes: usize,
    }

    // SAFETY: only mimalloc uses `base`, and accepts it from all threads; all other fields are atomic.
    unsafe impl Sync for TaskProfiler {}

    impl TaskProfiler {
        /// Attaches a profiler to all heaps, and starts it.
        fn start() -> &'static TaskProfiler {
            let base = mi_profiler_t {
                reserved: ptr::null_mut(),
                sample_data_size: mem::size_of::<Sample>(),
                // Not for this thread's main heap: there `mi_profiler_start` sets the rate to 1, whatever this
                // value is. So `on_alloc` must return the rate, since 0 would keep that 1.
                initial_sample_rate: RATE,
                on_alloc: Some(on_alloc),
                on_free: Some(on_free),
                on_realloc_inplace: None,
                on_snapshot: None,
            };
            // Never freed: threads may still be in a callback when the profiler is detached.
            let profiler: &'static TaskProfiler = Box::leak(Box::new(TaskProfiler {
                base: UnsafeCell::new(base),
                tasks: Default::default(),
                samples: AtomicUsize::new(0),
            }));
            // SAFETY: the profiler lives for ever, and its fields stay as they are.
            unsafe {
                assert!(mi_profile(profiler.as_ptr()), "there is another profiler");
                mi_profiler_start(profiler.as_ptr());
            }
            profiler
        }

        fn stop(&self) {
            // SAFETY: a live profiler, which is detached.
            unsafe {
                mi_profiler_stop(self.as_ptr());
                mi_profile(ptr::null_mut());
            }
        }

        /// To the whole struct, of which `base` is the first field.
        fn as_ptr(&self) -> *mut mi_profiler_t {
            (self as *const TaskProfiler as *mut TaskProfiler).cast()
        }
    }

    /// Called for a sampled block. Returns the rate until the next one.
    unsafe extern "C" fn on_alloc(
        profiler: *mut mi_profiler_t,
        data: *mut mi_profiler_sample_data_t,
        _block: *mut c_void,
        _requested_size: usize,
        bytes_sample_rate: usize,
        bytes_since_last_sample: u64,
        _heap: *mut mi_heap_t,
    ) -> usize {
        FIRST_RATE.with(|first| {
            if first.get() == 0 {
                first.set(bytes_sample_rate);
            }
        });
        let profiler = &*profiler.cast::<TaskProfiler>();
        let sample = Sample {
            task: TASK.with(Cell::get),
            bytes: bytes_since_last_sample as usize,
        };
        let task = &profiler.tasks[sample.task];
        task.allocated.fetch_add(sample.bytes, Relaxed);
        task.in_use.fetch_add(sample.bytes, Relaxed);
        profiler.samples.fetch_add(1, Relaxed);
        sample_of(data).write(sample);
        RATE
    }

    /// Called before a sampled block is freed, on any thread.
    unsafe extern "C" fn on_free(
        profiler: *mut mi_profiler_t,
        data: *mut mi_profiler_sample_data_t,
        _block: *mut c_void,
        _heap: *mut mi_heap_t,
    ) {
        let profiler = &*profiler.cast::<TaskProfiler>();
        let sample = sample_of(data).read();
        let task = &profiler.tasks[sample.task];
        task.in_use.fetch_sub(sample.bytes, Relaxed);
    }

    /// The bytes that mimalloc keeps for each sampled block: `sample_data_size` of them, aligned for a pointer.
    unsafe fn sample_of(data: *mut mi_profiler_sample_data_t) -> *mut Sample {
        ptr::addr_of_mut!((*data).user_data).cast()
    }
}
