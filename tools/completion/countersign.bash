# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion for countersign(1). A unit test compares it with `countersign help --dump`.

# The verb that stands there: "flows", or a group's and its own, "policy test".
_countersign_verb() {
	local i group=''

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--state | --kubeconfig | --context | --node | --pod | --namespace | -n | \
			--agent-namespace | --timeout) ((i++)) ;;
		-*) ;;
		policy | ca | bundle)
			[ -z "$group" ] || {
				printf '%s' "$group${COMP_WORDS[i]}"
				return
			}
			group="${COMP_WORDS[i]} "
			;;
		*)
			printf '%s' "$group${COMP_WORDS[i]}"
			return
			;;
		esac
	done
	printf '%s' "${group% }"
}

_countersign_options() {
	case $1 in
	flows) printf '%s' '--follow -f --last --verdict --from-workload --to-workload --workload --output -o' ;;
	status) printf '%s' '--output -o --check' ;;
	explain) printf '%s' '--from --to --port --output -o' ;;
	reload) printf '%s' '--note' ;;
	credentials) printf '%s' '--output -o' ;;
	nodes) printf '%s' '--output -o' ;;
	'policy check') printf '%s' '--output -o --fail-on --ignore --warn-audit-days --warn-expiry-days --isolation --trust-domain' ;;
	'policy codes') printf '%s' '--output -o' ;;
	'policy history') printf '%s' '--output -o' ;;
	'policy rollback') printf '%s' '--note' ;;
	'policy release') printf '%s' '--note' ;;
	'policy unused') printf '%s' '--since --output -o' ;;
	'policy test') printf '%s' '--output -o --run --trust-domain --verbose -v' ;;
	'policy explain') printf '%s' '--from --to --port --at --unauthenticated --trust-domain --output -o' ;;
	'policy diff') printf '%s' '--flows --at --exit-zero --trust-domain --output -o' ;;
	'ca init') printf '%s' '--trust-domain --lifetime' ;;
	'ca issue') printf '%s' '--spiffe-id --out --lifetime' ;;
	'ca revoke') printf '%s' '--serial' ;;
	'ca bundle') printf '%s' '--output -o' ;;
	'bundle show') printf '%s' '--output -o --trust-domain' ;;
	'bundle set') printf '%s' '--bundles --trust-domain --node-numbers' ;;
	'policy suggest') printf '%s' '--flows --egress --enforce --output -o' ;;
	esac
}

# Numbers of the revisions that are kept.
_countersign_revisions() {
	countersign policy history 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# Whose answers come from an agent, and so from a cluster's, too.
_countersign_asks_agent() {
	case $1 in
	'' | flows | status | explain | reload | credentials | nodes) ;;
	'policy history' | 'policy rollback' | 'policy release' | 'policy unused') ;;
	*) return 1 ;;
	esac
}

# $1: kind; what the current context has of it
_countersign_objects() {
	kubectl get "$1" -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}' 2>/dev/null
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
	local cluster='--kubeconfig --context --node --pod --all-nodes --namespace -n --all-namespaces -A --agent-namespace --timeout'
	local verbs='flows status explain reload credentials nodes policy ca bundle relay version help'
	local policy_verbs='check codes test explain diff suggest history rollback release unused'
	local ca_verbs='init issue revoke bundle'
	local bundle_verbs='show set'

	verb=$(_countersign_verb)
	! _countersign_asks_agent "$verb" || common="$common $cluster"
	case $previous in
	--state)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	--verdict) words='FORWARDED DROPPED AUDIT' ;;
	--output | -o)
		words='text json'
		[ "$verb" != flows ] || words='compact json'
		[ "$verb" != 'policy check' ] || words='text json sarif'
		[ "$verb" != 'policy test' ] || words='text json junit'
		[ "$verb" != 'policy suggest' ] || words='yaml json'
		[[ $verb != *bundle* ]] || words='text pem jwks'
		;;
	--kubeconfig)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--context) words=$(kubectl config get-contexts -o name 2>/dev/null) ;;
	--node) words=$(_countersign_objects nodes) ;;
	--pod) words=$(_countersign_objects pods) ;;
	--namespace | -n | --agent-namespace) words=$(_countersign_objects namespaces) ;;
	--timeout) words='15s 1m' ;;
	--check) words='live ready healthy' ;;
	--bundles | --out)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	--lifetime) words='1h 1d 365d' ;;
	--spiffe-id | --serial | --node-numbers) words='' ;;
	--flows)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--from | --to | --from-workload | --to-workload | --workload) words=$(_countersign_workloads) ;;
	--last) words='20 100 1000' ;;
	--fail-on) words='error warning info' ;;
	--ignore | --trust-domain | --warn-audit-days | --warn-expiry-days) words='' ;;
	--since) words='1h 1d 7d 30d' ;;
	--note) words='' ;;
	history | rollback) words="$(_countersign_revisions) $(_countersign_options "$verb") $common" ;;
	--port) words='80/tcp 443/tcp 53/udp' ;;
	help) words=$verbs ;;
	*)
		words="$(_countersign_options "$verb") $common"
		[ -n "$verb" ] || words="$verbs $common"
		[ "$verb" != policy ] || words=$policy_verbs
		[ "$verb" != ca ] || words=$ca_verbs
		[ "$verb" != bundle ] || words=$bundle_verbs
		[[ $verb != *' '* || $word == -* ]] || words="$words $(compgen -f -- "$word")"
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _countersign countersign
