use super::*;

fn seconds(schedule: &Schedule) -> Vec<f64> {
    (0..schedule.total())
        .map(|index| schedule.offset(index).as_secs_f64())
        .collect()
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-6
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_constant_rate_is_even_and_does_not_drift() {
    let schedule = Schedule::of_requests(3e3, 10_000_000, Spacing::Even, 0).expect("a schedule");
    assert_eq!(schedule.total(), 10_000_000);
    assert!(near(schedule.offset(0).as_secs_f64(), 0.0));
    // A rounded interval of 333,333 ns would be 3.3 ms early here.
    assert!(near(schedule.offset(9_999_999).as_secs_f64(), 3_333.333));
    assert!(near(schedule.mean_rate(), 3e3));
    assert_eq!(schedule.to_string(), "3000/s");
}

#[test]
fn a_duration_holds_rate_times_duration() {
    let schedule = Schedule::of_stages(&[Stage::constant(0.1, 30 * SECOND)], Spacing::Even, 0)
        .expect("a schedule");
    assert_eq!(seconds(&schedule), [0.0, 10.0, 20.0]);
}

/// From 0 to 10/s in 10 s: n = t²/2, so the n-th is due at √(2n).
#[test]
fn a_ramp_is_due_where_its_area_is_a_whole_number() {
    let ramp = Stage {
        from: 0.0,
        to: 10.0,
        length: 10 * SECOND,
    };
    let schedule = Schedule::of_stages(&[ramp], Spacing::Even, 0).expect("a schedule");
    assert_eq!(schedule.total(), 50);
    for index in 0..50_u32 {
        let wanted = (2.0 * f64::from(index)).sqrt();
        let offset = schedule.offset(u64::from(index)).as_secs_f64();
        assert!(near(offset, wanted), "{index}: {offset} and not {wanted}");
    }
    let down = Stage {
        from: 10.0,
        to: 0.0,
        length: 10 * SECOND,
    };
    let schedule = Schedule::of_stages(&[down], Spacing::Even, 0).expect("a schedule");
    // 10t − t²/2 = 49 at t = 10 − √2.
    assert!(near(
        schedule.offset(49).as_secs_f64(),
        10.0 - 2.0_f64.sqrt()
    ));
}

#[test]
fn stages_follow_each_other_and_a_pause_is_one() {
    let stages = [
        Stage::constant(2.0, SECOND),
        Stage::constant(0.0, 5 * SECOND),
        Stage::constant(4.0, SECOND),
    ];
    let schedule = Schedule::of_stages(&stages, Spacing::Even, 0).expect("a schedule");
    assert_eq!(seconds(&schedule), [0.0, 0.5, 6.0, 6.25, 6.5, 6.75]);
    assert_eq!(schedule.to_string(), "2/s for 1s, 0/s for 5s, 4/s for 1s");
}

#[test]
fn poisson_gaps_are_exponential_and_of_the_seed() {
    let draw =
        |seed| Schedule::of_requests(1000.0, 100_000, Spacing::Poisson, seed).expect("a schedule");
    let schedule = draw(1);
    assert_eq!(schedule.total(), 100_000);
    let offsets = seconds(&schedule);
    assert_eq!(offsets, seconds(&draw(1)));
    assert_ne!(offsets, seconds(&draw(2)));
    let mut gaps: Vec<f64> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= 0.0));
    let mean = gaps.iter().sum::<f64>() / 99_999.0;
    assert!((mean * 1000.0 - 1.0).abs() < 0.02, "mean gap {mean}");
    gaps.sort_by(f64::total_cmp);
    // The median of an exponential is ln 2 of its mean; of even gaps it would be the mean.
    let median = gaps[50_000] * 1000.0;
    assert!((median - std::f64::consts::LN_2).abs() < 0.02, "{median}");
}

/// Twice the rate has twice the requests, whatever stage they fall into.
#[test]
fn poisson_arrivals_follow_the_stages() {
    let stages = [
        Stage::constant(1000.0, 10 * SECOND),
        Stage::constant(2000.0, 10 * SECOND),
    ];
    let schedule = Schedule::of_stages(&stages, Spacing::Poisson, 7).expect("a schedule");
    let offsets = seconds(&schedule);
    let first = offsets.iter().filter(|offset| **offset < 10.0).count();
    let second = offsets.len() - first;
    // Five standard deviations.
    assert!(first.abs_diff(10_000) < 500, "{first}");
    assert!(second.abs_diff(20_000) < 710, "{second}");
    assert!(offsets.iter().all(|offset| *offset < 20.0));
}

#[test]
fn what_is_no_schedule_is_told_why() {
    let message = |stages: &[Stage], spacing| {
        Schedule::of_stages(stages, spacing, 0)
            .expect_err("no schedule")
            .to_string()
    };
    let pause = [Stage::constant(0.0, SECOND)];
    assert!(message(&pause, Spacing::Even).contains("no request"));
    let negative = [Stage::constant(-1.0, SECOND)];
    assert!(message(&negative, Spacing::Even).contains("-1/s"));
    let many = [Stage::constant(1e6, 60 * SECOND)];
    assert!(message(&many, Spacing::Poisson).contains("60000000"));
    let long = [Stage::constant(1.0, 200_000 * SECOND)];
    assert!(message(&long, Spacing::Even).contains("200000s"));
}

#[test]
fn a_replay_is_as_it_was_from_its_first_line_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("arrivals.txt");
    let read = |text: &str| {
        std::fs::write(&file, text).expect("written");
        read_replay(&file)
    };
    let schedule =
        read("# from a log\n1761300000.5\n\n1761300000.75\n1761300003\n").expect("times");
    assert_eq!(seconds(&schedule), [0.0, 0.25, 2.5]);
    assert_eq!(schedule.to_string(), "replay of arrivals.txt");
    assert!(near(schedule.mean_rate(), 0.8), "two gaps in 2.5 s");
    for (text, parts) in [
        ("0\n1\n0.5\n", &["arrivals.txt:3", "0.5", "sort"][..]),
        ("0\nsoon\n", &["arrivals.txt:2", "soon", "0.25"]),
        ("inf\n", &["arrivals.txt:1", "inf"]),
        ("# none\n", &["arrivals.txt", "no line"]),
    ] {
        let message = read(text).expect_err(text).to_string();
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
    let absent = read_replay(&folder.path().join("absent")).expect_err("absent");
    assert!(absent.to_string().contains("absent"), "{absent}");
}

/// Whoever sends each request when it is due has sent at the mean rate, whatever the shape.
#[test]
fn on_time_the_mean_rate_is_what_was_achieved() {
    let ramp = Stage {
        from: 0.0,
        to: 20.0,
        length: 4 * SECOND,
    };
    let pause = [
        Stage::constant(1000.0, SECOND),
        Stage::constant(0.0, 5 * SECOND),
    ];
    let schedules = [
        Schedule::of_stages(&[ramp], Spacing::Even, 0),
        Schedule::of_stages(&pause, Spacing::Even, 0),
        Schedule::of_requests(10.0, 20, Spacing::Poisson, 3),
        Schedule::of_requests(10.0, 20, Spacing::Even, 3),
    ];
    for schedule in schedules.map(|schedule| schedule.expect("a schedule")) {
        let last = schedule.offset(schedule.total() - 1);
        let span = (last + schedule.tail()).as_secs_f64();
        let mean = schedule.mean_rate();
        #[expect(clippy::cast_precision_loss, reason = "a thousand requests")]
        let achieved = schedule.total() as f64 / span;
        assert!(near(achieved, mean), "{schedule}: {achieved} and {mean}");
    }
}
