# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Part of cluster.sh: its certificates. One authority (pki/ca) signs those of clients and
# kubelets; another (pki/serving-ca) that of the API server alone, so that it can be rotated.
# shellcheck disable=SC2154 # dir, address, sans are cluster.sh's

readonly CA_DAYS=30 CERT_DAYS=7

# Files are replaced in one step: who reads them while they are written sees the old ones.
put() {
	cat >"$1.new" && mv "$1.new" "$1"
}

# $1: file without ending, $2: common name
make_ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $CA_DAYS \
		-subj "/CN=$2" -addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign,cRLSign \
		-keyout "$1.key" -out "$1.crt" 2>>"$dir/openssl.log"
}

# $1: file without ending, $2: authority's file without ending, $3: subject, $4: serverAuth or
# clientAuth, $5: subject alternative names or nothing. The key is moved before the certificate.
make_cert() {
	local names=()

	[ -z "${5:-}" ] || names=(-addext "subjectAltName=$5")
	openssl req -x509 -CA "$2.crt" -CAkey "$2.key" -newkey ec \
		-pkeyopt ec_paramgen_curve:P-256 -nodes -days $CERT_DAYS -subj "$3" \
		-addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature \
		-addext "extendedKeyUsage=$4" "${names[@]}" -keyout "$1.key.new" -out "$1.crt.new" \
		2>>"$dir/openssl.log"
	mv "$1.key.new" "$1.key"
	mv "$1.crt.new" "$1.crt"
}

# $@: names and addresses, as openssl wants them
alternative_names() {
	local name list=

	for name; do
		if [[ $name == *:* || $name =~ ^[0-9.]+$ ]]; then
			list+=,IP:$name
		else
			list+=,DNS:$name
		fi
	done
	echo "${list#,}"
}

make_serving_cert() {
	local names

	# shellcheck disable=SC2086 # one name a word
	names=$(alternative_names "$address" localhost 127.0.0.1 ::1 10.96.0.1 fd00:10:96::1 \
		kubernetes kubernetes.default kubernetes.default.svc \
		kubernetes.default.svc.cluster.local $sans)
	make_cert "$dir/pki/apiserver" "$dir/pki/serving-ca" /CN=kube-apiserver serverAuth "$names"
}

make_pki() {
	mkdir -p "$dir/pki" "$dir/kubelets" "$dir/mounts"
	chmod 0700 "$dir/pki"
	make_ca "$dir/pki/ca" kube-ca
	make_ca "$dir/pki/serving-ca" "kube-serving-ca 1"
	make_serving_cert
	put "$dir/ca.crt" <"$dir/pki/serving-ca.crt"
	make_cert "$dir/pki/kubelet-client" "$dir/pki/ca" /CN=kube-apiserver-kubelet-client \
		clientAuth
	openssl ecparam -genkey -name prime256v1 -noout -out "$dir/pki/sa.key"
	openssl ec -in "$dir/pki/sa.key" -pubout -out "$dir/pki/sa.pub" 2>>"$dir/openssl.log"
}

# Clients trust the new authority before anything shows its certificate.
rotate_ca() {
	local number bundle=("$dir/pki/serving-ca.crt")

	number=$(openssl x509 -in "$dir/pki/serving-ca.crt" -noout -subject | tr -dc 0-9)
	cp "$dir/pki/serving-ca.crt" "$dir/pki/serving-ca-$number.crt"
	make_ca "$dir/pki/serving-ca" "kube-serving-ca $((number + 1))"
	[ "${1:-}" != --overlap ] || bundle+=("$dir/pki/serving-ca-$number.crt")
	cat "${bundle[@]}" | put "$dir/ca.crt"
	renew_mounted_ca
	make_serving_cert
	within "$START_S" "the new certificate is shown" shows_serving_cert ||
		fail "the API server does not show its new certificate"
	publish_ca
	echo "serving authority $((number + 1))"
}

shows_serving_cert() {
	inside openssl s_client -connect "${url#https://}" </dev/null 2>/dev/null |
		openssl x509 | cmp -s - "$dir/pki/apiserver.crt"
}
