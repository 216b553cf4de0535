"""What names mean in hand-written RNNs, through all notations: from the words people use to our own.

A role is one of our parameters (Wx Wa ba Wy by), X, y, a0, c0, da, dc and dlogits (gradients that a caller supplies, of the states and of
the outputs), mask, lengths, lr, a size (B T D H C), `params` (a dict, list or object of parameters), or `off` (what is switched off:
regularisation, truncation).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_NAMES: dict[str, str] = {
    "Wx": "wx wax wxh wxa whx u weight_ih weight_ih_l0 weights_ih wih win w_in wi winput w_input w_xh w_ax "
    "w_hx w_ih w_x w_xa kernel "
    "weights_input weights_x input_weights in_weights wxz wih_l0 w_i w1 rnn.weight_ih_l0 theta_x "
    "weights_in weight_in weight_x "
    "weight_xh weights_xh weight_input wgt_in wxs w_inp w_inh i2h",
    "Wa": "wa waa whh w weight_hh weight_hh_l0 weights_hh wrec w_rec wr w_r wh w_h w_hh w_aa w_a "
    "recurrent_kernel weights_hidden "
    "weights_h hidden_weights rec_weights recurrent_weights w_recurrent wrecurrent whid w2 "
    "rnn.weight_hh_l0 theta_h weights_rec "
    "weight_rec weight_h weight_a weight_hidden wss wgt_rec ws w_s h2h",
    "Wy": "wy wya why wyh v weight_ho weights_ho wout w_out wo w_o w_hy w_ya w_y w_yh w_ay way "
    "output_kernel weights_output weights_y "
    "output_weights out_weights weights_out w_output woutput fc_weight linear_weight w3 theta_y "
    "fc.weight out.weight linear.weight "
    "weight_out weight_y weight_hy weights_hy weight_output who wgt_out h2o w_ho wsy wv w_v",
    "ba": "ba bh b b_h b_a bias_h bias_a bias_ih bias_ih_l0 bhh b_hh bias_hidden hidden_bias b1 rec_bias "
    "b_rec bias b_s bs brec bias_rec "
    "bax bh_l0 b_hid bias1 bz b_z bx",
    "by": "by c b_y bias_y bias_o bo b_o bout b_out bias_out output_bias bias_output fc_bias linear_bias "
    "b2 fc.bias out.bias "
    "linear.bias bias_ho b_output bias2 bya b_c b_hy bhy bv b_v",
    "ba2": "bias_hh bias_hh_l0 b_hh2",
    "X": "x xs x_seq xseq inputs input inp seq sequence sequences data x_train xtrain x_batch xbatch "
    "batch_x inputs_batch samples features "
    "x_data input_seq xb trainx train_x input_data x_in series signal word_ids tokens",
    "y": "y ys target targets label labels t_true y_true ytrue y_train ytrain y_batch ybatch batch_y yb "
    "d_target gold truth classes_true "
    "trainy train_y y_data t_labels target_seq outputs_true desired expected tgt targ lab "
    "labels_onehot y_onehot yhot one_hot_y onehot "
    "y_one_hot y_hot answer answers",
    "a0": "a0 h0 hprev h_prev a_prev0 a_init h_init init_state initial_state s0 h_0 a_0 hidden hidden0 "
    "state0 prev_h hidden_state a_initial "
    "h_initial init_h init_hidden state h_start start_state z0 hinit ainit h_last",
    "c0": "c0 cprev c_prev c_init init_c c_0 cell0 c_initial initial_c cell_state prev_c c_start",
    "dc": "dc dc_out dc_next dc_T",
    "da": "da dh dout da_out dh_out dhs das d_h d_a grad_h grad_a upstream dhidden grad_hidden grad_out "
    "grad_output da_all dh_all dstates",
    "dlogits": "d_y dy dlogits d_logits dscores d_scores dl_dy d_l_d_y dldy grad_logits d_out dyhat dy_hat dy_pred d_o do dl_dlogits "
    "dl_dout d_output output_grad dlogit d_yhat grad_y d_score dscore",
    "lengths": "lengths lens seq_lengths seq_lens seqlens sequence_lengths n_valid",
    "mask": "mask masks valid valid_mask seq_mask padding_mask pad_mask",
    "lr": "lr learn_rate learning_rate eta alpha step_size learningrate rate",
    "B": "m batch_size batch n_samples nsamples bs n_batch num_samples b_size",
    "T": "t t_x t_steps timesteps n_timesteps time_steps seq_len seq_length n_steps steps sequence_length "
    "tx num_steps nsteps seqlen t_len "
    "max_len n_time",
    "D": "d n_x input_size input_dim n_in n_features n_inputs features_dim in_dim vocab_size word_dim "
    "n_input dim input_len n_dimensions "
    "dims n_dims num_features nx n_vocab idim num_inputs v_size d_in insize in_size",
    "H": "h n_h n_a n_hid nhid hidden_size hidden_dim n_hidden n_units num_hidden units nh hidden_units na n_neurons "
    "hdim num_units d_h hsize "
    "hid_size hidden_len state_dim state_size h_dim",
    "C": "k n_y output_size output_dim n_out n_classes num_classes n_outputs out_dim n_unique n_output "
    "classes ny odim num_outputs n_labels "
    "c_out out_size osize outsize num_output",
    "params": "params parameters p weights theta w_dict pars model net param_dict param prm ws_ ps wts model_params",
    "off": "reg lam lambda_ l2 weight_decay dropout reg_lambda lamb noise",
    "far": "bptt_truncate truncate k_steps bptt_len truncation clip_value clip max_norm clip_norm max_grad "
    "threshold grad_clip clipping",
    "once": "epochs n_epochs iterations n_iter n_iters num_epochs nepoch nepochs iters num_iterations "
    "max_iter niter epoch n_iterations",
}
_TABLE = {word: role for role, words in _NAMES.items() for word in words.split()}
_GRADIENT = re.compile(
    r"^(?:d[Ll]d[_]?|d[Ll]_d|dJ[_]?d?|dE[_]?d|d[Cc]ost_d|delta[_ ]?|grads?[_ ]?(?:of[_ ])?|gradients?[_ ]?|nabla_?|g_?|d_?|D_?|sum_d|acc_d|"
    r"total_d|∂|∇)(.+)$"
)
_SUFFIX = re.compile(
    r"^(.+?)(?:_?(?:grads?|gradients?|g|total|acc|sum|delta|deriv|bar|updates?)|\.grad)$", re.IGNORECASE
)

PARAMETERS = ("Wx", "Wa", "ba", "Wy", "by")


def role(name: str) -> str | None:
    """The role of a name, or None. Upper and lower case differ only where a letter alone means two things."""
    stripped = name.strip().removeprefix("self.").strip("_")
    if stripped in ("H", "D", "T", "C", "B", "M", "N", "K"):
        return {"M": "B", "N": "B", "K": "C"}.get(stripped, stripped)
    if stripped in ("U", "V", "W", "b", "c", "X", "x", "y", "Y"):
        return {"U": "Wx", "V": "Wy", "W": "Wa", "b": "ba", "c": "by"}.get(
            stripped, stripped.upper() if stripped in "xX" else "y"
        )
    if stripped in ("u", "v", "w", "h", "a", "s", "k", "d", "t", "p"):
        return {"u": "Wx", "v": "Wy", "w": "Wa", "p": "params", "t": "y"}.get(stripped)
    known = _TABLE.get(stripped.lower())
    inner = stripped.rpartition(".")[2]  # of a module's: rnn.bias_ih_l0
    return role(inner) if known is None and inner != stripped else known


def parameter(name: str) -> str | None:
    """The parameter that a name means, or None."""
    role_found = role(name)
    return role_found if role_found in PARAMETERS else None


def _array(name: str) -> str | None:
    role_found = role(name)
    return role_found if role_found in (*PARAMETERS, "a0", "X", "ba2") else None


def gradient(name: str, meaning: Callable[[str], str | None] = _array) -> str | None:
    """The parameter (or a0, X) whose gradient a name means: dWax, grad_U, Whh_grad, dLdW; None when it means none.

    `meaning` gives the role of the array that a name means, None where it means none.
    """
    return next((meant for own in differentiated(name) if (meant := meaning(own)) is not None), None)


def differentiated(name: str) -> Iterator[str]:
    """What a name may be called the gradient of: `Wax` of dWax, `U` of grad_U, `synapse_0` of synapse_0_update."""
    stripped = name.strip().removeprefix("self.").strip("_")
    for pattern in (_GRADIENT, _SUFFIX):
        if found := pattern.match(stripped):
            yield found[1].lstrip("_")
