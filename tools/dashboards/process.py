"""steno itself: its audit log, its resources, and what it could not read."""

from typing import Final

from tools.dashboards.panels import Board, P, Panel, R, S, rates, rises, threshold

PROCESS: Final = Board(
    "steno-process",
    "steno / The process",
    "steno itself: its audit log, its resources, and what it could not read.",
    (
        (
            "The audit log",
            (
                Panel(
                    "Records",
                    "wps",
                    "Records written a second.",
                    ((f"rate(steno_audit_records_total{{{P}}}[{R}])", "{{instance}}"),),
                ),
                Panel(
                    "Oldest record not on the disk",
                    "s",
                    "What a crash would lose. It rises while the disk takes no writes.",
                    ((f"steno_audit_unflushed_seconds{{{P}}}", "{{instance}}"),),
                    warn=5,
                    bad=threshold("unflushed_seconds"),
                ),
                Panel(
                    "Waiting records",
                    "bytes",
                    "At audit.queue_bytes (16 MiB) reading stops, or records are shed.",
                    ((f"steno_audit_queue_bytes{{{P}}}", "{{instance}}"),),
                    warn=8 * 1024 * 1024,
                    bad=16 * 1024 * 1024,
                ),
                Panel(
                    "Trouble",
                    "none",
                    "Failed writes, records that were shed or could not be encoded, segments that somebody changed.",
                    (
                        (
                            f"sum by (instance, reason) (increase(steno_audit_write_errors_total{{{P}}}[15m]))",
                            "{{instance}} {{reason}}",
                        ),
                        (f"increase(steno_audit_shed_records_total{{{P}}}[15m])", "{{instance}} shed"),
                        (f"increase(steno_audit_unreadable_records_total{{{P}}}[15m])", "{{instance}} unreadable"),
                        (f"increase(steno_audit_damaged_segments_total{{{P}}}[15m])", "{{instance}} changed segments"),
                    ),
                    bad=1,
                ),
                Panel(
                    "State",
                    "none",
                    "1: enabled, blocked.",
                    (
                        (f"steno_audit_enabled{{{P}}}", "{{instance}} enabled"),
                        (f"steno_audit_blocked{{{P}}}", "{{instance}} blocked"),
                    ),
                ),
                Panel(
                    "Head",
                    "none",
                    "The number of the last record on the disk.",
                    ((f"steno_audit_flushed_seq{{{P}}}", "{{instance}}"),),
                ),
            ),
        ),
        (
            "What it could not read",
            (
                Panel(
                    "Rejected frames",
                    "none",
                    "Within 15 minutes, by why. docs/metrics.md has the reasons.",
                    (
                        (
                            f"sum by (source, reason) (increase(steno_events_rejected_total{{{S}}}[15m])) > 0",
                            "{{source}} {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    "Drift",
                    "none",
                    "Within an hour: members of an unexpected type, and events of an unknown one. Upstream changed.",
                    (
                        (f"sum by (source) (increase(steno_drifted_members_total{{{S}}}[1h]))", "{{source}} members"),
                        (
                            f'sum by (source) (increase(steno_events_total{{{S}, event="other"}}[1h]))',
                            "{{source}} events",
                        ),
                    ),
                ),
                Panel(
                    "Duplicates, facts and messages left out",
                    "none",
                    "Within 15 minutes.",
                    (
                        (f"sum by (source) (increase(steno_duplicates_total{{{S}}}[15m]))", "{{source}} duplicates"),
                        (f"sum by (source) (increase(steno_facts_omitted_total{{{S}}}[15m]))", "{{source}} facts"),
                        (
                            f"sum by (source) (increase(steno_unfed_frames_total{{{S}}}[15m])) > 0",
                            "{{source}} messages",
                        ),
                    ),
                ),
                Panel(
                    "Frames",
                    "Bps",
                    "Bytes of frames, uncompressed.",
                    ((rates("steno_frame_bytes_total", "source, direction"), "{{source}} {{direction}}"),),
                ),
                Panel(
                    "Own mistakes",
                    "none",
                    "Restarts of sources within an hour, by an error of steno.",
                    ((f"sum by (source) (increase(steno_source_restarts_total{{{S}}}[1h]))", "{{source}}"),),
                    bad=1,
                ),
                Panel(
                    "Outputs that fail",
                    "none",
                    "Within 15 minutes: state, recording, log, HTTP; dropped lines of the log; refused clients.",
                    (
                        (
                            f"sum by (instance, kind, reason) (increase(steno_output_errors_total{{{P}}}[15m])) > 0",
                            "{{instance}} {{kind}} {{reason}}",
                        ),
                        (f"increase(steno_log_lines_dropped_total{{{P}}}[15m])", "{{instance}} log lines"),
                        (
                            f"sum by (instance, reason) (increase(steno_http_rejected_total{{{P}}}[15m])) > 0",
                            "{{instance}} HTTP {{reason}}",
                        ),
                    ),
                    bad=1,
                ),
            ),
        ),
        (
            "Resources",
            (
                Panel(
                    "CPU",
                    "percentunit",
                    "Of one core. steno uses one at most.",
                    (
                        (
                            f"rate(process_cpu_seconds_total{{{P}}}[{R}]) and on (job, instance) steno_build_info",
                            "{{instance}}",
                        ),
                    ),
                    warn=0.7,
                    bad=0.9,
                ),
                Panel(
                    "Memory",
                    "bytes",
                    "Of the process. The unit's MemoryHigh is 512 MiB.",
                    (
                        (
                            f"process_resident_memory_bytes{{{P}}} and on (job, instance) steno_build_info",
                            "{{instance}}",
                        ),
                    ),
                    bad=threshold("resident_memory_bytes"),
                ),
                Panel(
                    "Held of limits.memory_bytes",
                    "percentunit",
                    "By conversations (half at most, past which they are dropped) and messages that are read ahead.",
                    (
                        (
                            (
                                f"steno_memory_accounted_bytes{{{P}}} / on (job, instance) group_left ()"
                                f' steno_limit{{{P}, limit="memory_bytes"}}'
                            ),
                            "{{instance}} {{kind}}",
                        ),
                    ),
                    bad=threshold("memory_ratio"),
                ),
                Panel(
                    "Event loop",
                    "s",
                    "The longest time that it was held, of the last minute. Latencies are wrong by so much.",
                    ((f"steno_loop_lag_seconds{{{P}}}", "{{instance}}"),),
                    warn=0.1,
                    bad=threshold("loop_lag_seconds"),
                ),
                Panel(
                    "File descriptors",
                    "percentunit",
                    "Of the limit of the process. At it new connections are refused.",
                    (
                        (
                            f"process_open_fds{{{P}}} / process_max_fds{{{P}}} and on (job, instance) steno_build_info",
                            "{{instance}}",
                        ),
                    ),
                    bad=threshold("descriptors_ratio"),
                ),
                Panel(
                    "Dropped for want of room",
                    "none",
                    "Within 15 minutes: objects of conversations, whole conversations, series.",
                    (
                        (f"increase(steno_evicted_objects_total{{{P}}}[15m])", "{{instance}} objects"),
                        (
                            rises("steno_conversations_closed_total", "source", ', reason="evicted"'),
                            "{{source}} conversations",
                        ),
                        (
                            f"sum by (instance) (increase(steno_series_dropped_total{{{P}}}[15m]))",
                            "{{instance}} series",
                        ),
                    ),
                    bad=1,
                ),
                Panel(
                    "Clock",
                    "s",
                    "How far the wall clock is ahead of the times of records. Not 0 after it was set.",
                    ((f"steno_clock_offset_seconds{{{P}}}", "{{instance}}"),),
                ),
                Panel(
                    "Scrapes",
                    "none",
                    "Samples of a scrape.",
                    (
                        (
                            f"scrape_samples_scraped{{{P}}} and on (job, instance) steno_build_info",
                            "{{instance}}",
                        ),
                    ),
                ),
                Panel(
                    "Versions and ages",
                    "s",
                    "Since the start, the last reload of the configuration, and the date of the price list.",
                    (
                        (
                            f"time() - process_start_time_seconds{{{P}}} and on (job, instance) steno_build_info",
                            "{{instance}} up",
                        ),
                        (
                            f"time() - (steno_config_last_reload_timestamp_seconds{{{P}}} > 0)",
                            "{{instance}} configuration",
                        ),
                        (f"time() - (steno_price_list_timestamp_seconds{{{P}}} > 0)", "{{instance}} price list"),
                    ),
                ),
            ),
        ),
    ),
)
