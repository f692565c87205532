//! `kernel` and its `args`.

use crate::workload::load::keys;
use crate::workload::load::map::MapReader;
use crate::workload::model::Kernel;

#[derive(Clone, Copy)]
enum Name {
    Noop,
    Primes,
    Mandelbrot,
    Matmul,
    Sha256,
    Sort,
    MonteCarloPi,
}

const NAMES: [(&str, Name); 7] = [
    ("primes", Name::Primes),
    ("mandelbrot", Name::Mandelbrot),
    ("matmul", Name::Matmul),
    ("sha256", Name::Sha256),
    ("sort", Name::Sort),
    ("monte_carlo_pi", Name::MonteCarloPi),
    ("noop", Name::Noop),
];

/// Its words, for the schema of the format.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(word, _)| *word)
}

/// Bounds that keep one task from taking days or all memory by a slip of the pen.
const MOST_STEPS: u64 = 1_000_000_000_000;
const MOST_ELEMENTS: u64 = 1_000_000_000;
const LARGEST_MATRIX: u32 = 16_384;
const LARGEST_GRID: u32 = 65_536;

/// An argument, and the largest count that it may be; `None` of a size.
type Argument = (&'static str, Option<u64>);

/// What each kernel is told, by its word, for the schema of the format.
pub(super) fn arguments_of_all() -> impl Iterator<Item = (&'static str, &'static [Argument])> {
    NAMES.iter().map(|(word, name)| {
        let arguments: &[Argument] = match name {
            Name::Noop => &[],
            Name::Primes | Name::Sort => &[("n", Some(MOST_ELEMENTS))],
            Name::Mandelbrot => &[
                ("width", Some(LARGEST_GRID as u64)),
                ("height", Some(LARGEST_GRID as u64)),
                ("iterations", Some(u32::MAX as u64)),
            ],
            Name::Matmul => &[("n", Some(LARGEST_MATRIX as u64))],
            Name::Sha256 => &[("bytes", None)],
            Name::MonteCarloPi => &[("samples", Some(MOST_STEPS))],
        };
        (*word, arguments)
    })
}

/// Reads `kernel` and `args`.
pub(crate) fn read(map: &mut MapReader<'_>) -> Option<Kernel> {
    let field = map.required("kernel");
    let name = field.as_ref().and_then(|field| field.choice("kernel", &NAMES, &[]));
    let args = map.get("args");
    let name = name?;
    if let Name::Noop = name {
        if let Some(args) = args {
            args.map()?.finish(&keys::ARGS, "kernel noop");
        }
        return Some(Kernel::Noop);
    }
    let Some(args) = args else {
        if !map.misspelt("args") {
            let example = match name {
                Name::Mandelbrot => "{ width: 256, height: 256, iterations: 200 }",
                Name::Sha256 => "{ bytes: 1MiB }",
                Name::MonteCarloPi => "{ samples: 100000 }",
                _ => "{ n: 1000 }",
            };
            map.field.context.report(map.missing("args").allowed(format!("this kernel needs args, such as {example}")));
        }
        return None;
    };
    let mut args = args.map()?;
    let kernel = arguments(&mut args, name);
    let word = NAMES.iter().find(|(_, other)| *other as u8 == name as u8).map_or("", |(word, _)| word);
    args.finish(&keys::ARGS, &format!("kernel {word}"));
    kernel
}

fn arguments(args: &mut MapReader<'_>, name: Name) -> Option<Kernel> {
    let integer = |args: &mut MapReader<'_>, key, most| args.required(key).and_then(|field| field.integer(1, most));
    let small =
        |args: &mut MapReader<'_>, key, most| args.required(key).and_then(|field| field.count32(most)).map(u32::from);
    match name {
        Name::Noop => Some(Kernel::Noop),
        Name::Primes => Some(Kernel::Primes { n: integer(args, "n", MOST_ELEMENTS)? }),
        Name::Mandelbrot => {
            let width = small(args, "width", LARGEST_GRID);
            let height = small(args, "height", LARGEST_GRID);
            let iterations = small(args, "iterations", u32::MAX);
            Some(Kernel::Mandelbrot { width: width?, height: height?, iterations: iterations? })
        }
        Name::Matmul => Some(Kernel::Matmul { n: small(args, "n", LARGEST_MATRIX)? }),
        Name::Sha256 => Some(Kernel::Sha256 { bytes: args.required("bytes")?.size()? }),
        Name::Sort => Some(Kernel::Sort { n: integer(args, "n", MOST_ELEMENTS)? }),
        Name::MonteCarloPi => Some(Kernel::MonteCarloPi { samples: integer(args, "samples", MOST_STEPS)? }),
    }
}
