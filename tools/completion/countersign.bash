# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion for countersign(1). A unit test compares it with `countersign help --dump`.

_countersign_verb() {
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--state) ((i++)) ;;
		-*) ;;
		*)
			printf '%s' "${COMP_WORDS[i]}"
			return
			;;
		esac
	done
}

_countersign_options() {
	case $1 in
	flows) printf '%s' '--follow -f --last --verdict --from-workload --to-workload --output -o' ;;
	status) printf '%s' '--output -o' ;;
	explain) printf '%s' '--from --to --port --output -o' ;;
	esac
}

# Names of workloads as the agent knows them; nothing when it cannot be asked.
_countersign_workloads() {
	countersign status 2>/dev/null |
		awk '$1 == "WORKLOAD" { on = 1; next } !NF { on = 0 } on { print $1 }'
}

_countersign() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local verb words
	local common='--state --help -h --version'
	local verbs='flows status explain reload version help'

	verb=$(_countersign_verb)
	case $previous in
	--state)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	--verdict) words='FORWARDED DROPPED AUDIT' ;;
	--output | -o)
		words='text json'
		[ "$verb" != flows ] || words='compact json'
		;;
	--from | --to | --from-workload | --to-workload) words=$(_countersign_workloads) ;;
	--last) words='20 100 1000' ;;
	--port) words='80/tcp 443/tcp 53/udp' ;;
	help) words=$verbs ;;
	*)
		words="$(_countersign_options "$verb") $common"
		[ -n "$verb" ] || words="$verbs $common"
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _countersign countersign
