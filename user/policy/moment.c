/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/moment.h"

#define NS_PER_SECOND 1000000000
#define FRACTION_DIGITS 9

static const char moment_form[] = "is no RFC 3339 time: expected such as 2026-12-31T00:00:00Z";

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first day of @year. */
static int64_t days_before_year(int year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

/* @n digits at *@s, which moves behind them; -1 when there are others. */
static int digits(const char **s, size_t n)
{
	int value = 0;

	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return -1;
		value = value * 10 + (**s - '0');
	}
	return value;
}

static bool skip(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* "2026-12-31" as days since 1970. */
static bool parse_date(const char **s, int64_t *ret)
{
	int year, month, day;

	year = digits(s, 4);
	if (year < 1 || !skip(s, '-'))
		return false;
	month = digits(s, 2);
	if (month < 1 || month > 12 || !skip(s, '-'))
		return false;
	day = digits(s, 2);
	if (day < 1 || day > days_in_month(year, month))
		return false;
	*ret = days_before_year(year) + day - 1;
	for (int m = 1; m < month; m++)
		*ret += days_in_month(year, m);
	return true;
}

/* "23:59" as seconds. */
static bool parse_hours(const char **s, int *ret)
{
	int hours, minutes;

	hours = digits(s, 2);
	if (hours < 0 || hours > 23 || !skip(s, ':'))
		return false;
	minutes = digits(s, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	*ret = hours * 3600 + minutes * 60;
	return true;
}

static bool parse_fraction(const char **s, uint32_t *ret)
{
	uint32_t ns = 0;
	int n = 0;

	if (!skip(s, '.'))
		return true;
	for (; **s >= '0' && **s <= '9'; (*s)++, n++)
		if (n < FRACTION_DIGITS)
			ns = ns * 10 + (**s - '0');
	for (int i = n; i < FRACTION_DIGITS; i++)
		ns *= 10;
	*ret = ns;
	return n > 0;
}

static bool parse_offset(const char **s, int *ret)
{
	char sign = **s;

	if (skip(s, 'Z')) {
		*ret = 0;
		return true;
	}
	if (!skip(s, '+') && !skip(s, '-'))
		return false;
	if (!parse_hours(s, ret))
		return false;
	if (sign == '-')
		*ret = -*ret;
	return true;
}

const char *moment_parse(const char *text, struct moment *ret)
{
	struct moment moment = { .set = true };
	int in_day, seconds, offset;
	int64_t days;

	if (!parse_date(&text, &days) || !skip(&text, 'T') || !parse_hours(&text, &in_day) ||
	    !skip(&text, ':'))
		return moment_form;
	seconds = digits(&text, 2);
	if (seconds < 0 || seconds > 59 || !parse_fraction(&text, &moment.ns) ||
	    !parse_offset(&text, &offset) || *text)
		return moment_form;
	moment.seconds = days * 86400 + in_day + seconds - offset;
	*ret = moment;
	return NULL;
}

uint64_t moment_boottime(const struct moment *moment, uint64_t realtime_ns, uint64_t boottime_ns)
{
	__int128 at;

	if (!moment->set)
		return 0;
	at = (__int128)moment->seconds * NS_PER_SECOND + moment->ns - realtime_ns + boottime_ns;
	if (at <= boottime_ns)
		return 1;
	return at > INT64_MAX ? INT64_MAX : (uint64_t)at;
}
