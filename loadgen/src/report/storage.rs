//! What cold starts read from storage, in sentences.

use std::path::Path;

use crate::record::{
    COLD_DISK, EvictedRecord, FIRST_START, PhaseRecord, SeriesRecord, StorageReads,
};
use crate::units::{bytes, duration};

/// The whole of a start, of a class.
pub(super) fn total<'a>(phase: &'a PhaseRecord, class: &str) -> Option<&'a SeriesRecord> {
    phase
        .series
        .iter()
        .find(|series| series.name == "total" && series.class == class)
}

/// One sentence a class of start; none of a phase of load.
pub(super) fn lines(phase: &PhaseRecord) -> Vec<String> {
    let Some(storage) = &phase.storage else {
        return Vec::new();
    };
    let mut lines: Vec<String> = storage
        .reads
        .iter()
        .map(|reads| line(phase, reads))
        .collect();
    lines.extend(storage.evicted.as_ref().map(evicted));
    lines
}

/// Why there are fewer starts with a cold disk than were asked for, or none.
pub(super) fn not_cold(phase: &PhaseRecord) -> Option<String> {
    let reason = phase.storage.as_ref()?.not_cold.as_ref()?;
    Some(match total(phase, COLD_DISK) {
        None => format!("no cold disk: {reason}"),
        Some(cold) => format!(
            "cold disk: no more starts than n = {}: {reason}",
            cold.count
        ),
    })
}

fn line(phase: &PhaseRecord, reads: &StorageReads) -> String {
    let read = if reads.min_bytes == reads.max_bytes {
        bytes(reads.max_bytes)
    } else {
        format!(
            "{} ({} to {})",
            bytes(reads.p50_bytes),
            bytes(reads.min_bytes),
            bytes(reads.max_bytes)
        )
    };
    let took = |series: &SeriesRecord| duration(series.max_ns);
    match reads.class.as_str() {
        FIRST_START => format!(
            "first start of the run, whatever the page cache held: {}, {read} read from storage",
            total(phase, FIRST_START).map_or_else(|| "–".to_owned(), took)
        ),
        COLD_DISK => format!(
            "cold disk: {read} read from storage by each start (n = {})",
            reads.starts
        ),
        _ => format!(
            "warm disk: {read} read from storage by each start (n = {})",
            reads.starts
        ),
    }
}

fn evicted(evicted: &EvictedRecord) -> String {
    let files = if evicted.files == 1 {
        "1 file".to_owned()
    } else {
        format!("{} files", evicted.files)
    };
    let before = format!(
        "cold disk: {files}, {}, evicted from the page cache before each start",
        bytes(evicted.bytes)
    );
    if evicted.mapped_elsewhere.is_empty() {
        return before;
    }
    let name = |path: &String| {
        let name = Path::new(path).file_name();
        name.map_or_else(|| path.clone(), |name| name.to_string_lossy().into_owned())
    };
    let names: Vec<String> = evicted.mapped_elsewhere.iter().map(name).collect();
    format!(
        "{before}; what other processes have mapped stayed: {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::{TerminalStyle, sample};
    use super::*;
    use crate::record::StorageRecord;

    const PLAIN: TerminalStyle = TerminalStyle {
        color: false,
        width: 100,
    };

    #[test]
    fn a_cold_disk_is_told_with_what_was_read() {
        let mut record = sample::failing();
        let phase = &mut record.phases[0];
        assert!(lines(phase).is_empty(), "a record of before");
        let reads = |class: &str, bytes: &[u64]| StorageReads::of(class, bytes.to_vec());
        let mut cold = phase.series[0].clone();
        (cold.name, cold.class) = ("total".to_owned(), COLD_DISK.to_owned());
        phase.series.push(cold);
        phase.storage = Some(StorageRecord {
            reads: [
                reads("all", &[0, 0, 0]),
                reads(COLD_DISK, &[31_200_000, 30_000_000, 32_000_000]),
            ]
            .into_iter()
            .flatten()
            .collect(),
            evicted: Some(EvictedRecord {
                files: 3,
                bytes: 45_056,
                mapped_elsewhere: vec!["/lib/libc.so.6".to_owned()],
            }),
            not_cold: None,
        });
        let text = lines(phase).join("\n");
        assert_eq!(
            text,
            "warm disk: 0 B read from storage by each start (n = 3)\n\
             cold disk: 31.2 MB (30.0 MB to 32.0 MB) read from storage by each start (n = 3)\n\
             cold disk: 3 files, 45.1 kB, evicted from the page cache before each start; what other processes have mapped \
             stayed: libc.so.6"
        );
        let markdown = super::super::markdown(&record);
        assert!(
            markdown.contains("\n| cold start, cold disk | 30 | "),
            "{markdown}"
        );
        assert!(
            markdown.contains("\n- cold start: warm disk: 0 B read"),
            "{markdown}"
        );
        let html = super::super::html(&record);
        assert!(html.contains("cold disk: 31.2 MB (30.0 MB to 32.0 MB) read"));
        let terminal = super::super::terminal(&record, PLAIN);
        assert!(terminal.contains("\n   cold disk "), "{terminal}");
    }

    #[test]
    fn a_missing_cold_disk_is_told_with_its_reason_and_has_no_checks_mark() {
        let mut record = sample::failing();
        let phase = &mut record.phases[0];
        phase.storage = Some(StorageRecord {
            not_cold: Some("nothing was read from storage".to_owned()),
            ..StorageRecord::default()
        });
        assert!(lines(phase).is_empty());
        let reason = "no cold disk: nothing was read from storage";
        assert_eq!(not_cold(phase).as_deref(), Some(reason));
        let terminal = super::super::terminal(&record, PLAIN);
        assert!(
            terminal.contains(&format!("\ncold start: {reason}\n")),
            "{terminal}"
        );
        let markdown = super::super::markdown(&record);
        assert!(
            markdown.contains(&format!("\n- cold start: {reason}\n")),
            "{markdown}"
        );
        let html = super::super::html(&record);
        assert!(
            html.contains(&format!("</ul><p class=\"muted\">{reason}</p>")),
            "{html}"
        );
    }
}
