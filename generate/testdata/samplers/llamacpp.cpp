// Applies llama.cpp's samplers for samplers.py. Each line of standard input is a case, in words:
//
//     LOGITS… | HISTORY… | SAMPLER ARGUMENT… | SAMPLER ARGUMENT… …
//
// and gives a line with the ids that are left, their logits behind them. mirostat is applied several times, each
// time to the same logits, and gives lines of its own: the id that was drawn before those that were left. Built from a checkout L with
//
//     g++ -std=c++17 -O1 -no-pie -fno-pie -I$L/src -I$L/include -I$L/ggml/include -I$L/ggml/src \
//         -o llamacpp llamacpp.cpp $L/src/llama-sampler.cpp -Wl,--unresolved-symbols=ignore-all
//
// (nothing that is used here lies outside of that file).
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "llama-vocab.h"

// The samplers' file asks for these, and uses nothing of them here.
struct llama_vocab::impl {};
llama_vocab::llama_vocab() {}
llama_vocab::~llama_vocab() {}
void llama_log_internal(ggml_log_level, const char *, ...) {}

// Declared in llama-sampler.h, for tests.
struct llama_sampler * llama_sampler_init_dry_testing(float, float, int32_t, int32_t, const std::vector<std::vector<llama_token>> &);

static llama_sampler * make(std::istream & in) {
	std::string name;
	in >> name;
	auto number = [&] { double x = 0; in >> x; return x; };
	if (name == "penalties") {
		int n = number();
		float r = number(), f = number(), p = number();
		return llama_sampler_init_penalties(64, n, r, f, p); // of a vocabulary of 64
	}
	if (name == "dry") { // multiplier, base, allowed, last n, breakers as a,b;c
		float m = number(), b = number();
		int a = number(), n = number();
		std::vector<std::vector<llama_token>> breakers;
		std::string list, one, id;
		in >> list;
		for (std::istringstream l(list); std::getline(l, one, ';');) {
			breakers.emplace_back();
			for (std::istringstream o(one); std::getline(o, id, ',');) breakers.back().push_back(std::stoi(id));
		}
		return llama_sampler_init_dry_testing(m, b, a, n, breakers);
	}
	if (name == "top_n_sigma") return llama_sampler_init_top_n_sigma(number());
	if (name == "top_k") return llama_sampler_init_top_k(number());
	if (name == "typ_p") return llama_sampler_init_typical(number(), 1);
	if (name == "top_p") return llama_sampler_init_top_p(number(), 1);
	if (name == "min_p") return llama_sampler_init_min_p(number(), 1);
	if (name == "xtc") return llama_sampler_init_xtc(1, number(), 1, 1);
	if (name == "dynatemp") { // temperature, range, exponent
		float t = number(), range = number(), exponent = number();
		return llama_sampler_init_temp_ext(t, range, exponent);
	}
	if (name == "mirostat") { // version, entropy, rate, seed
		int version = number();
		float entropy = number(), rate = number();
		uint32_t seed = number();
		return version == 1 ? llama_sampler_init_mirostat(64, seed, entropy, rate, 100) : llama_sampler_init_mirostat_v2(seed, entropy, rate);
	}
	if (name == "temperature") return llama_sampler_init_temp(number());
	fprintf(stderr, "no sampler %s\n", name.c_str());
	exit(1);
}

int main() {
	for (std::string line, part; std::getline(std::cin, line);) {
		std::istringstream parts(line);
		std::getline(parts, part, '|');
		std::vector<llama_token_data> data;
		std::istringstream logits(part);
		for (float l; logits >> l;) data.push_back({(llama_token) data.size(), l, 0});
		std::getline(parts, part, '|');
		std::vector<llama_token> history;
		std::istringstream ids(part);
		for (llama_token id; ids >> id;) history.push_back(id);
		llama_token_data_array a = {data.data(), data.size(), -1, false};
		while (std::getline(parts, part, '|')) {
			std::istringstream words(part);
			llama_sampler * s = make(words);
			for (llama_token id : history) llama_sampler_accept(s, id);
			bool mirostat = std::string(llama_sampler_name(s)).rfind("mirostat", 0) == 0;
			for (int n = 0; mirostat && n < 12; n++) {
				std::vector<llama_token_data> copy = data;
				llama_token_data_array b = {copy.data(), copy.size(), -1, false};
				llama_sampler_apply(s, &b);
				printf("%d ", b.data[b.selected].id);
				for (size_t i = 0; i < b.size; i++) printf("%d %.9g ", b.data[i].id, b.data[i].logit);
				puts("");
			}
			if (mirostat) a.size = 0;
			else llama_sampler_apply(s, &a);
			llama_sampler_free(s);
		}
		for (size_t i = 0; i < a.size; i++) {
			if (std::isfinite(a.data[i].logit)) printf("%d %.9g ", a.data[i].id, a.data[i].logit);
		}
		if (a.size > 0) puts("");
	}
}
