//! What help says behind the options: examples, and what the exit codes mean.

pub(super) const AFTER: &str = "\
Examples:
  poolscope try --items '*.jpg' -- convert {} {item.stem}.png   your own work: how many at a time?
  poolscope                                   dashboard with the bundled workloads
  poolscope heavy-tail                        dashboard with one of them
  poolscope my.yaml --sweep chunksize=1,4,16  dashboard that begins with a sweep
  poolscope ./run                             dashboard with a file that is called like a verb
  poolscope compare my.yaml --format json     all arms, headless
  poolscope run cpu-uniform --engine pool --workers 4
  poolscope sweep io-wait                     how many workers?
  poolscope tune io-wait --target 'p99<1s'    how many for that?

Exit codes:
    0  done
    1  an expectation of the file (`expect`) does not hold, or a task did not
       succeed, with --fail-on-error, which `try` implies, or --halt by fail;
       history check found a regression
    2  bad input, or a place that cannot be written to; nothing was started
    3  aborted, an engine broke, headless not one task of an arm succeeded,
       or the result could not be written (it goes to standard output then)
    4  under --strict a suspect run, or an expectation that is too noisy to say
  129  ended by SIGHUP; what was measured is printed, marked as aborted
  130  ended by Ctrl-C; likewise
  141  the reader of what tasks write has gone
  143  ended by SIGTERM; likewise, and so 128 + N for QUIT, USR1, USR2, ALRM, XCPU
Of several the first of 128 + N, 2, 3, 1, 4 is told. The first signal ends running
tasks with SIGTERM and, after their grace period, SIGKILL; a second one kills.";

pub(super) const AFTER_RUN: &str = "\
Makes one run, without a warm-up; compare repeats. Where there are items, or an option of
a batch is given, what commands write goes to standard output, each task's whole, and the
report to standard error.

Examples:
  poolscope run cpu-uniform                            the first arm of a bundled workload
  poolscope run my.yaml --engine process --workers 8
  poolscope run my.yaml --joblog log --halt soon,fail=3    a batch; --resume log does the rest
  poolscope run my.yaml --set total=50 --format json --output result.json";

pub(super) const AFTER_COMPARE: &str = "\
Examples:
  poolscope compare heavy-tail                         all arms of a bundled workload
  poolscope compare my.yaml --engines pool,process --repeats 10
  poolscope compare my.yaml --precision 2%             as often as it takes to be so precise
  poolscope compare my.yaml --strict --quiet --format json > result.json
  poolscope compare my.yaml --workers 1..8             as sweep, with the repeats of the file";

pub(super) const AFTER_SWEEP: &str = "\
Without --workers each engine is tried with 1, 2, 4, 8 ... workers until two gains are
below 5 %, then between the last count that is not good enough and the first that is.
Serial engines are left out; of engines that differ only in their workers one is enough.

Examples:
  poolscope sweep io-wait                              finds the count by itself
  poolscope sweep my.yaml --workers 1..8               every count from 1 to 8
  poolscope sweep my.yaml --workers 1,2,4..6 --engines pool,process
  poolscope sweep my.yaml --workers 1..64x2 --repeats 5    1, 2, 4 ... 64
  poolscope sweep my.yaml --sweep chunksize=1,4,16,64  another setting, with the workers of the file
  poolscope sweep my.yaml --sweep workers=1..8 --sweep chunksize=auto,1,16   both: a table
  poolscope sweep my.yaml --sweep service_time=1ms..64msx4   size of the tasks; --sweep rate=10/s..80/sx2
  poolscope sweep my.yaml --workers 1..64x2 --resume state    after Ctrl-C the same again goes on
  poolscope sweep my.yaml --format json > sweep.json   schema poolscope.sweep/1";

pub(super) const AFTER_CHECK: &str = "\
Examples:
  poolscope check my.yaml                              what it would do here, without doing it
  poolscope check *.yaml --format json                 problems as data; exit code 2 if there are any";

pub(super) const AFTER_NEW: &str = "\
Examples:
  poolscope new                                        writes my-workload.yaml
  poolscope new loads/nightly                          writes loads/nightly.yaml; the folder has to be there";

pub(super) const AFTER_TRY: &str = "\
What is tried is done for real. How often is said before it begins; more than one engine,
worker count or repeat is asked for first (--yes for scripts).

FILE is lines of text, CSV (*.csv) or lines of JSON (*.jsonl); - is standard input. In the
command {item} stands for the item, {} for short, {item.name} {item.stem} {item.ext}
{item.dir} for parts of a path, {item.KEY} for a field, {index} for the number of the task.
An item that is not named is the last word.

Examples:
  poolscope try --items '*.jpg' -- convert {} {item.stem}.png     in the dashboard
  ls *.log | poolscope try --items - --headless -- gzip -k {}
  poolscope try --count 20 --workers 1..8 --yes -- sh -c 'sort -R /etc/passwd > /dev/null'
  poolscope try --python json:dumps --arg obj={index} --count 1000
  poolscope try --items urls.txt --rate 5/s --timeout 10s -- curl -sfo /dev/null {}
  poolscope try --items urls.txt --print -- curl -sfo /dev/null {} > urls.yaml";
