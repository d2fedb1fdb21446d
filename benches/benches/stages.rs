//! Each stage under Criterion, at both sizes: `cargo bench -p patchfleet-benches --bench stages`,
//! with a stage's name to run it alone.

use criterion::{BatchSize, BenchmarkId, Criterion};
use patchfleet_benches::{Fallible, works};

fn main() -> Fallible<()> {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    for pair in works()? {
        let mut group = criterion.benchmark_group(pair.name);
        for work in [pair.some, pair.tenfold] {
            // The work is the same each time, so what is right once is right in every sample.
            work.prepare()?()?;
            group.bench_function(BenchmarkId::from_parameter(&work.size), |bencher| {
                bencher.iter_batched(
                    || work.prepare(),
                    |ready| ready.and_then(|run| run()),
                    BatchSize::PerIteration,
                );
            });
        }
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}
