//! `affinity` and `nice`: where the processes of an engine run, and before whom.

use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::model::{CpuList, Placement};
use crate::workload::yaml::Tree;

const CPUS: &str = "must be a list of CPU numbers such as [0, 1], or a text such as \"0-3,6\"";
/// Kinds of niceness that there are (setpriority(2)).
const NICE: std::ops::RangeInclusive<i128> = -20..=19;

pub(crate) fn read(map: &mut MapReader<'_>) -> Option<Placement> {
    let affinity = map.optional("affinity", cpus);
    let nice = map.optional("nice", nice);
    Some(Placement { affinity: affinity?, nice: nice? })
}

fn cpus(field: &Field<'_>) -> Option<CpuList> {
    let list = match field.tree {
        Tree::Text(text) => CpuList::parse(text),
        Tree::Int(number) => CpuList::parse(&number.to_string()),
        Tree::Seq(_) => {
            // All of them are looked at, so that each that is wrong is reported.
            let number = |item: &Field<'_>| u32::try_from(item.integer(0, u32::MAX.into())?).ok();
            let numbers: Vec<Option<u32>> = field.items()?.iter().map(number).collect();
            CpuList::new(numbers.into_iter().collect::<Option<_>>()?)
        }
        _ => return field.unfit(CPUS),
    };
    match list {
        Ok(list) => Some(list),
        Err(why) => field.wrong(format!("{}: {why}", field.describe()), CPUS),
    }
}

fn nice(field: &Field<'_>) -> Option<i32> {
    match field.tree {
        Tree::Int(value) if NICE.contains(value) => i32::try_from(*value).ok(),
        _ => field.unfit("must be an integer from -20 to 19"),
    }
}
