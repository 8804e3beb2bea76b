"""The functions that users' SQL may call, by name: those of one row's values, and those of many rows.

Whatever is not named here is refused, so that what a later engine adds is closed until somebody looks at it. Left out
on purpose is what gives another answer each time (`random`, `now`), what picks a row in no particular order
(`any_value`, `first`, `mode`), and what reaches beyond the rows (settings, files, other queries). One more function is
one more name.
"""
# ruff: noqa: SIM905 - as lists of quoted words, these would be five times as long

from __future__ import annotations

SCALAR = frozenset(
    """
    abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees divide even exp
    factorial fdiv floor fmod gamma gcd greatest greatest_common_divisor isfinite isinf isnan lcm
    least least_common_multiple lgamma ln log log10 log2 mod multiply nextafter pi pow power radians round round_even
    sign signbit sin sinh sqrt subtract tan tanh trunc xor

    case cast coalesce if ifnull nullif switch try_cast

    ascii bar bit_length char_length character_length chr concat concat_ws contains ends_with format hash hex instr
    jaccard jaro_similarity jaro_winkler_similarity lcase left length len levenshtein damerau_levenshtein
    editdist3 hamming mismatches lower lpad ltrim md5 md5_number md5_number_lower md5_number_upper nfc_normalize
    octet_length ord position prefix printf regexp_escape regexp_extract regexp_extract_all regexp_full_match
    regexp_matches regexp_replace regexp_split_to_array replace reverse right rpad rtrim sha1 sha256 split split_part
    starts_with str_split str_split_regex string_split string_split_regex strip_accents strlen strpos substr substring
    suffix to_base to_hex translate trim ucase unicode upper url_decode url_encode

    century date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth
    dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era extract hour isodow isoyear julian
    last_day make_date make_time make_timestamp make_timestamp_ms make_timestamptz microsecond millennium millisecond
    minute month monthname quarter second strftime strptime time_bucket timezone timezone_hour timezone_minute to_days
    to_hours to_microseconds to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years
    try_strptime week weekday weekofyear year yearweek

    array array_contains array_cosine_distance array_cosine_similarity array_distance array_inner_product array_length
    array_to_string cardinality element_at flatten list_avg list_concat list_contains list_count
    list_cosine_distance list_cosine_similarity list_distance list_distinct list_dot_product list_element list_extract
    list_filter list_has_all list_has_any list_inner_product list_intersect list_max list_median list_min list_position
    list_reduce list_reverse list_reverse_sort list_slice list_sort list_stddev_pop list_stddev_samp list_sum
    list_transform list_unique list_value list_var_pop list_var_samp list_zip map map_contains map_entries map_extract
    map_from_entries map_keys map_values row struct struct_extract struct_pack

    json_array_length json_contains json_exists json_extract json_extract_path json_extract_path_text
    json_extract_string json_keys json_type json_valid json_value
""".split()
)

AGGREGATE = frozenset(
    """
    approx_count_distinct arg_max arg_max_null arg_min arg_min_null argmax argmin avg bit_and bit_or bit_xor bool_and
    bool_or corr count count_if countif covar_pop covar_samp entropy favg fsum geomean geometric_mean kahan_sum kurtosis
    kurtosis_pop mad max max_by mean median min min_by product quantile quantile_cont quantile_disc regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp
    sum sumkahan var_pop var_samp variance weighted_avg wavg
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    exists unnest
""".split()
)

CHANGES_EACH_TIME = frozenset(
    """
    age current_connection_id current_date current_localtime current_localtimestamp current_query current_query_id
    current_time current_timestamp current_transaction_id currval gen_random_uuid get_current_time
    get_current_timestamp localtime localtimestamp nextval now rand random setseed today transaction_timestamp
    txid_current uuid uuidv4 uuidv7
""".split()
)
"""Refused, because a value would be another one when it is computed again."""

PICKS_ANY_ROW = frozenset("any_value arbitrary approx_quantile array_agg first group_concat last list listagg mode "
                          "reservoir_quantile string_agg".split())  # fmt: skip
"""Refused, because which row they pick, or in which order, is not said."""
